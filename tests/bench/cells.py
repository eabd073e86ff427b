"""Cells cut a second and core after segmentation, and the memory of a whole pass. Run by `make bench`."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

import numpy as np

SIZE, SCALE, REPEATS = 600, 0.206349, 20
FIELDS = (50, 200, 800)


def main() -> None:
    """Print the rate of cutting, then the peak memory over the number of fields."""
    cut, all_of_it, cells = cutting()
    print(
        f"{SIZE} px field of {cells} cells, a second and core after segmentation: {cut:.0f} crops cut,",
        end=" ",
    )
    print(f"{all_of_it:.0f} cells cut, measured, flagged and stored")
    print("\n| fields | peak memory, MB |\n| ---: | ---: |")
    for count in FIELDS:
        done = subprocess.run(
            [sys.executable, __file__, str(count)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        print(f"| {count} | {done.stdout.decode().split()[-1]} |", flush=True)


def cutting() -> tuple[float, float, int]:
    """Crops and cells a second of CPU time, with the nuclei given, and the number of cells of a field."""
    from protloc.cells import field as room
    from protloc.config.settings import Cells
    from protloc.crops import CropWriter
    from protloc.fields import Field
    from protloc.simulate.field import render_field
    from protloc.simulate.traits import draw_traits

    rng, settings = np.random.default_rng(0), Cells().model_dump()
    counts = render_field({"er": 3}, draw_traits(rng), SIZE, rng).image
    of = Field("FID00000000", "", "", SIZE, SIZE, SCALE)
    nuclei = room.SEGMENTERS["classical"](counts[0], SCALE)
    known = mock.patch.dict(room.SEGMENTERS, classical=lambda *_: nuclei)
    with tempfile.TemporaryDirectory() as folder, known:
        paths = Path(folder, "pixels.npy"), Path(folder, "masks.npy")
        with CropWriter(*paths, room.side_px(settings["crop_um"], SCALE)) as store:
            started = time.process_time()
            for _ in range(REPEATS):
                found = room.cells_of(of, counts, settings, settings["crop_um"])
                store.add(found.crops, found.nuclei, found.others)
            all_of_it = time.process_time() - started
    at = np.stack([found.rows["top"], found.rows["left"]], axis=1)
    started = time.process_time()
    for _ in range(REPEATS):
        room.cut(counts, at, found.crops.shape[-1], (0, 0))
    cut = time.process_time() - started
    cells = len(found.crops)
    return REPEATS * cells / cut, REPEATS * cells / all_of_it, cells


def whole_pass(count: int) -> float:
    """Peak memory of finding the cells of `count` fields of 256 px, MB, workers included."""
    from protloc.acquire.fields import acquire_fields
    from protloc.acquire.store import list_images, open_store
    from protloc.cells.study import find_cells
    from protloc.config.settings import Cells
    from protloc.simulate.study import simulate_study

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulated = {"proteins_per_class": 1, "fields_per_protein": -(-count // 17), "field_size": 256}
        simulate_study(folder / "mirror", **simulated, seed=1, workers=1)
        store = open_store(str(folder / "mirror"), "us-west-2", None)
        fovs = acquire_fields(store, list_images(store, "mirror"), folder / "raw", SCALE).head(count)
        paths, settings = (folder / "pixels.npy", folder / "masks.npy"), Cells().model_dump()
        find_cells(fovs, folder / "raw", settings, *paths, store_um=settings["crop_um"], workers=1)
    of_self, of_workers = (
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return (of_self + of_workers) / 1024


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(round(whole_pass(int(sys.argv[1]))))
    else:
        main()
