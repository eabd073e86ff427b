"""Where the weights of a registry row lie, and whether the file is the one that was meant. Needs no torch."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

from protloc.config.backbones import PACKAGED, Network
from protloc.config.sources import Source, read_sources
from protloc.errors import InputError
from protloc.hashing import sha256_path
from protloc.modules import SCRIPTS

DEMO = "uv sync --group demo"  # brings the packages that ship weights
FOLDER = Path("data/weights")  # like all of data/, below the working directory


def weights_file(network: Network) -> Path:
    """The file of a row that has weights, there and with the listed digest.

    Its `weights` is the name of a package, a row of config/sources.csv (the file then lies in data/weights),
    or a path, relative to the working directory or else to the project's folder. Raises InputError where the
    file is missing or another.
    """
    if network.layout in PACKAGED:
        return packaged_file(network.weights, PACKAGED[network.layout])
    source = read_sources().get(network.weights)
    if source is None:
        return _local(network)
    path = FOLDER / source.file_name
    if not path.is_file():
        raise InputError(
            f"{path}: the weights of {network.title} are missing; fetch them with protloc stage --configfile "
            f"and the study's file, or put {source.url} there"
        )
    _verify(path, source)
    return path


def _local(network: Network) -> Path:
    candidates = (Path(network.weights), SCRIPTS.parent / network.weights)
    path = next((path for path in candidates if path.is_file()), None)
    if path is None and network.request is not None:
        raise InputError(
            f"{network.weights}: the weights of {network.title} are not to be had without asking; ask for "
            f"them at {network.request} and put the file there"
        )
    if path is None:
        raise InputError(
            f"config/backbones.yaml: {network.title}: weights: {network.weights} is neither a file nor a "
            "name in config/sources.csv; correct it"
        )
    return path


def _verify(path: Path, source: Source) -> None:
    """Raise InputError for a file that is not the listed one; where none is listed, log what to list."""
    size, digest = path.stat().st_size, sha256_path(path)
    listed = f"{source.listed_in}: {source.name}"
    if source.size is not None and size != source.size:
        raise InputError(f"{path}: has {size} bytes, {listed} says {source.size}; fetch {source.url} again")
    if source.sha256 is None:
        logging.warning("%s: unverified; enter sha256 %s, size %d in %s", path, digest, size, listed)
    elif digest != source.sha256:
        raise InputError(
            f"{path}: has sha256 {digest}, {listed} says {source.sha256}; fetch {source.url} again"
        )


def packaged_file(package: str, suffix: str) -> Path:
    """The one file of an installed package with that suffix, found without running the package."""
    spec = find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"config/backbones.yaml: weights: package {package} is not installed; install it "
            f"(those of the demo: {DEMO})"
        )
    files = [path for folder in spec.submodule_search_locations for path in Path(folder).rglob(f"*{suffix}")]
    if len(files) != 1:
        raise InputError(
            f"config/backbones.yaml: weights: package {package} has {len(files)} {suffix} files, expected one"
        )
    return files[0]
