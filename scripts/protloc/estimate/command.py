"""`protloc estimate`: what a study will take, printed before it is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from protloc.config.backbones import Backbone, Network, stored_crop_um
from protloc.config.load import load_backbones, load_study, read_yaml
from protloc.config.settings import Cells, Study
from protloc.config.sources import read_sources
from protloc.cut import side_px
from protloc.estimate.arithmetic import parameters
from protloc.estimate.rates import CORE, GPU, Rate, measured, read_rates
from protloc.estimate.size import Size, probed, size_of, tuned
from protloc.estimate.work import Work, work_of
from protloc.images import CHANNELS
from protloc.models.strategies import matrices
from protloc.modules import SCRIPTS
from protloc.study_variants import cell_backbones, variants_of

ROOT = SCRIPTS.parent
HANDMADE = 74  # numbers in a vector
PREDICTION_BYTES = 90  # of a row of predictions, compressed; measured in the demo
GB, MINUTE, HOUR = 1e9, 60.0, 3600.0


def estimate(configfile: Path | None, fields: int | None, of: Path | None) -> None:
    """Print what a study takes; `fields` are those of it instead of its own, `of` as in `lines`.

    Raises InputError for a wrong study or rates.
    """
    registry = load_backbones(ROOT / "config/backbones.yaml")
    study = load_study(read_yaml(configfile or ROOT / "config/config.yaml"), registry)
    print(*lines(study, registry, fields, of), sep="\n")


def lines(
    study: Study, registry: Mapping[str, Backbone], fields: int | None = None, of: Path | None = None
) -> Iterator[str]:
    """What a study takes: a line for each step, then transfer and disk, and where the rates come from.

    `of` are results whose records say how fast the machine is.
    """
    used = {name: registry[name] for name in study.embedding.backbones}
    size = size_of(study, fields)
    rates = read_rates() | (measured(of) if of else {})
    works = work_of(study, registry, size)
    count = probed(study, used) + tuned(study, used)
    yield f"{study.study}: {size.fields:,} fields of view, about {size.cells:,} cells, {count:,} runs"
    yield from _steps(works, rates)
    yield from _room(study, used, size, rates)
    needed = {GPU, CORE, *(work.rate for work in works if work.rate)}
    needed |= set() if study.simulation else {"transfer_mb"}
    yield "Rates:"
    yield from (
        f"  {rates[name].value:g} {rates[name].unit}; {rates[name].source}" for name in sorted(needed)
    )


def _steps(works: list[Work], rates: Mapping[str, Rate]) -> Iterator[str]:
    """A line for each step: its time on one GPU, or on one core; and the sums."""
    rows = [("step", "PFLOP", "one GPU", "one core")]
    gpu, core = 0.0, 0.0
    for work in works:
        if work.rate:
            seconds = work.units * rates[work.rate].value
            core += seconds
            rows.append((work.step, "", "", _time(seconds)))
        else:
            seconds = work.gflop / rates[GPU].value
            gpu += seconds
            rows.append((work.step, _amount(work.gflop / 1e6), _time(seconds), ""))
    arithmetic = sum(work.gflop for work in works)
    rows.append(("in all", _amount(arithmetic / 1e6), _time(gpu), _time(core)))
    yield from (f"  {step:<22}{work:>10}{of_gpu:>10}{of_core:>10}" for step, work, of_gpu, of_core in rows)
    yield f"Without a GPU, its part takes one core {_time(arithmetic / rates[CORE].value)}."


def _amount(number: float) -> str:
    """A number with about three digits."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _time(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:,.1f} h"


def _room(study: Study, used: Mapping[str, Backbone], size: Size, rates: Mapping[str, Rate]) -> Iterator[str]:
    """Lines on transfer and disk."""
    networks = [row for row in used.values() if isinstance(row, Network)]
    sources = read_sources()
    fetched = [row for row in networks if row.weights in sources]
    weights = sum(sources[row.weights].size or 4 * parameters(row)[0] for row in fetched)
    known = all(sources[row.weights].size for row in fetched)
    images = size.fields * size.field_bytes
    if not study.simulation:
        total = (images + weights) / GB
        least = "" if known else "at least "
        minutes = 1e3 * total / rates["transfer_mb"].value / 60
        yield (
            f"Transfer: images {images / GB:,.1f} GB, weights {least}{weights / GB:,.1f} GB "
            f"({len(fetched)} files): {least}{minutes:,.0f} min"
        )
    shown = [used[name] for name in cell_backbones(study)]
    stored = side_px(stored_crop_um(shown, study.cells or Cells()), size.pixel_size_um)
    crops = size.cells * (2 * len(CHANNELS) + 2 / 8) * stored**2
    vectors = 4 * sum(_width(name, row, study, "fov") * size.fields for name, row in used.items())
    vectors += 4 * sum(_width(name, used[name], study, "cell") * size.cells for name in cell_backbones(study))
    tested = study.splits.test_share * size.fields if study.splits else 0
    answers = PREDICTION_BYTES * tested * (probed(study, used) + tuned(study, used))
    parts = {"images": images, "crops": crops, "embeddings": vectors, "predictions": 2 * answers}
    said = ", ".join(f"{name} {amount / GB:,.1f} GB" for name, amount in parts.items())
    yield f"Disk: {sum(parts.values()) / GB:,.1f} GB ({said}), and the weights"


def _width(name: str, backbone: Backbone, study: Study, level: str) -> int:
    """Numbers in the vectors of an image, all variants together."""
    if not isinstance(backbone, Network):
        return HANDMADE
    variants = variants_of(study, name, backbone, level)
    several = (len(matrices(of.strategy, backbone.slots, backbone.natural)) for of in variants)
    return sum(several) * parameters(backbone)[1]
