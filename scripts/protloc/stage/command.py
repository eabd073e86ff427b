"""`protloc stage`: everything that a study needs from outside, on the disk and checked, before it is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from protloc.config.backbones import Backbone, Network
from protloc.config.load import load_backbones, load_study, read_yaml
from protloc.config.settings import Study
from protloc.config.sources import SOURCES, read_sources
from protloc.errors import InputError
from protloc.locks import only_writer
from protloc.models.loading.files import weights_file
from protloc.modules import SCRIPTS
from protloc.signals import ends_on_sigterm
from protloc.stage.copies import Copies
from protloc.stage.images import files_of, kept_listing
from protloc.stage.known import Lock, file_of
from protloc.stage.patience import Patience
from protloc.stage.plan import plan_of
from protloc.stage.space import unwritable
from protloc.stage.verify import verify
from protloc.stage.web import Web
from protloc.stage.work import Work

ROOT = SCRIPTS.parent
PARALLEL = 8


def stage(
    configfile: Path | None,
    sources: Path | None = None,
    mirror: Path | None = None,
    parallel: int = PARALLEL,
    only_verify: bool = False,
    patience: Patience | None = None,
) -> int:
    """Fetch what the study lacks, or verify what it has; 0 if all is there and right, else 1.

    `mirror` is a folder with files that were copied over. Raises InputError where something cannot be had:
    what has arrived is kept, and the same call goes on.
    """
    registry = load_backbones(ROOT / "config/backbones.yaml")
    study = load_study(read_yaml(configfile or ROOT / "config/config.yaml"), registry)
    table = sources or SOURCES
    rows = read_sources(table)
    _check_requested(study, registry)
    plan = plan_of(study, registry, rows)
    if not plan.files and plan.bucket is None:
        print(f"{study.study}: {_why_nothing(study)}: nothing to stage")
        return 0
    if parallel < 1:
        raise InputError(f"--parallel: {parallel}; give 1 or more")
    if only_verify:
        files = [file_of(rows[name], path) for name, path in plan.files.items()]
        files += files_of(plan.bucket, kept_listing(plan.bucket)) if plan.bucket else []
        return verify(files, parallel)
    for path in plan.own:
        if not path.is_file():
            raise InputError(f"{path}: the configuration names it, no row of {table} is called so; bring it")
    web = Web(patience or Patience(), parallel)
    work = Work(study.study, plan, rows, Lock(table), Copies(mirror), web, parallel)
    folders = {Path("data") / study.study, *(path.parent for path in plan.files.values())}
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        with ends_on_sigterm(), only_writer((folder / "stage" for folder in folders), wait_s=0):
            work.run()
    except KeyboardInterrupt:
        raise InputError("interrupted; what has arrived is kept: the same command goes on") from None
    except OSError as error:
        raise unwritable(Path(error.filename or "data"), error) from error
    return 0


def _check_requested(study: Study, registry: Mapping[str, Backbone]) -> None:
    """Raise InputError for weights that have to be asked for and are not here, before any are fetched."""
    for row in (registry[name] for name in study.embedding.backbones):
        if isinstance(row, Network) and row.weights and row.request:
            weights_file(row)


def _why_nothing(study: Study) -> str:
    if study.acquisition is None:
        return "its images are simulated, and its backbones take no weights from outside"
    return f"its images are in {study.acquisition.mirror}, and its backbones take no weights from outside"
