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


def _file_of(module: str) -> Path | None:
    """The source file of a dotted name below `scripts/`, or None where it is an attribute."""
    base = SCRIPTS.joinpath(*module.split("."))
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


@cache
def _imports(path: Path) -> frozenset[str]:
    """Dotted names of the project that a file imports anywhere, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(name for name in names if name.split(".")[0] == PACKAGE)


def module_hashes(script: str) -> dict[str, str]:
    """SHA-256 of a script below `scripts/` and of each project file it imports, by path, sorted."""
    found: dict[Path, str] = {}
    waiting = [SCRIPTS / script]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = sha256_bytes(path.read_bytes())
            waiting += [file for name in _imports(path) if (file := _file_of(name))]
    return {path.relative_to(SCRIPTS).as_posix(): found[path] for path in sorted(found)}
