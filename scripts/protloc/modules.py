"""Which modules of the project a script rests on, read from its source without importing anything.

Snakemake sees the line `script: "..."`, not the helpers behind it. A rule that takes these hashes as a
parameter reruns exactly when a module that it imports has changed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path

from protloc.hashing import sha256_bytes

SCRIPTS = Path(__file__).resolve().parents[1]
PACKAGE = Path(__file__).resolve().parent.name
# Where a library is imported by another name than it is installed by.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "iterstrat": "iterative-stratification",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "umap": "umap-learn",
    "yaml": "pyyaml",
}
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
    names, texts = _imports_and_texts(path)
    own = (_file_of(part) for name in names if name.split(".")[0] == PACKAGE for part in _packages_of(name))
    files = (path.with_name(text) for text in texts if _is_file_name(text))
    return frozenset(file for file in (*own, *files) if file and file.is_file())


def _packages_of(name: str) -> list[str]:
    """A dotted name and those of the packages that are imported with it."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


@cache
def _imports_and_texts(path: Path) -> tuple[frozenset[str], frozenset[str]]:
    """The dotted names that a module imports, functions included, and its string constants."""
    names: set[str] = set()
    texts: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(node.value)
    return frozenset(names), frozenset(texts)


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


def own_modules() -> dict[str, Path]:
    """The project's modules that this process has imported, by path below `scripts/`."""
    files = {
        Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))
    }
    return {file.relative_to(SCRIPTS).as_posix(): file for file in files if file.is_relative_to(SCRIPTS)}


def library_versions(files: Iterable[str], loaded: bool = False) -> dict[str, str]:
    """Versions of the libraries that files below `scripts/` import, by distribution.

    Of those that are installed; with `loaded`, of those that this process has imported.
    """
    sources = (SCRIPTS / file for file in files if file.endswith(".py"))
    tops = {name.split(".")[0] for source in sources for name in _imports_and_texts(source)[0]}
    found = {}
    for top in sorted(tops - sys.stdlib_module_names - {PACKAGE}, key=str.lower):
        if loaded and top not in sys.modules:
            continue
        try:
            found[DISTRIBUTIONS.get(top, top)] = metadata.version(DISTRIBUTIONS.get(top, top))
        except metadata.PackageNotFoundError:
            continue  # a library for those who have it, such as another segmenter
    return found
