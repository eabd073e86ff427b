"""Which modules of the project a script rests on, read from its source without importing anything.

Snakemake sees the line `script: "..."`, not the helpers behind it. A rule that takes these hashes as a
parameter reruns exactly when a module that it imports has changed.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from protloc.hashing import sha256_bytes

SCRIPTS = Path(__file__).resolve().parents[1]
PACKAGE = Path(__file__).resolve().parent.name
DATA_SUFFIXES = (".csv", ".html", ".json", ".safetensors", ".yaml")


def _file_of(module: str) -> Path | None:
    """The source file of a dotted name below `scripts/`, or None where it is an attribute."""
    base = SCRIPTS.joinpath(*module.split("."))
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


@cache
def _rests_on(path: Path) -> frozenset[Path]:
    """The project's files that a module imports anywhere, functions included, and the data files it names.

    A data file is one beside the module whose name is a string in its source, such as a template.
    """
    if path.suffix != ".py":
        return frozenset()
    names: set[str] = set()
    files: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_file_name(node.value):
            files.add(path.with_name(node.value))
    own = (_file_of(name) for name in names if name.split(".")[0] == PACKAGE)
    return frozenset(file for file in (*own, *files) if file and file.is_file())


def _is_file_name(text: str) -> bool:
    return len(text) < 100 and "/" not in text and Path(text).suffix in DATA_SUFFIXES


def module_hashes(script: str) -> dict[str, str]:
    """SHA-256 of a script below `scripts/` and of each project file it rests on, by path, sorted."""
    found: dict[Path, str] = {}
    waiting = [SCRIPTS / script]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = sha256_bytes(path.read_bytes())
            waiting += _rests_on(path)
    return {path.relative_to(SCRIPTS).as_posix(): found[path] for path in sorted(found)}
