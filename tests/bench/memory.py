"""Peak memory of acquiring and embedding 50, 200 and 800 fields, and 1,000 and 20,000 cells.

Run by `make bench`; each measurement is a fresh process, so that one does not hide behind another.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

COUNTS = (50, 200, 800)
STEPS = ("acquire", "handmade", "vit_untrained")
CELLS = (1_000, 20_000)
SIDE = 116  # px: 24 µm
REGISTRY = Path(__file__).resolve().parents[2] / "config/backbones.yaml"


def make_mirror(root: Path, count: int) -> None:
    """A mirror with `count` fields of 256 px: 16 simulated ones under many names."""
    from protloc.simulate.study import simulate_study

    simulate_study(
        root / "drawn", proteins_per_class=1, fields_per_protein=1, field_size=256, seed=1, workers=1
    )
    drawn = sorted((root / "drawn").rglob("*.tif"))
    for number in range(count):
        gene = f"SIM{number % len(drawn):04d}_ENSG{number % len(drawn):011d}"
        name = f"microscopy/raw/{gene}/OC-FOV_{gene}_CID000001_FID{number:08d}_proj.tif"
        (root / "mirror" / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(drawn[number % len(drawn)], root / "mirror" / name)


def make_cells(root: Path, count: int) -> None:
    """A crop store of `count` cells, and their table as far as embedding reads it."""
    import numpy as np
    import pandas as pd
    from protloc.crops import CropWriter

    rng, masks = np.random.default_rng(0), np.zeros((50, SIDE, SIDE), bool)
    root.mkdir()
    with CropWriter(root / "pixels.npy", root / "masks.npy", SIDE) as store:
        for _ in range(count // 50):
            store.add(rng.integers(100, 4000, (50, 2, SIDE, SIDE), dtype=np.uint16), masks, masks)
    ids = [f"FID{number:08d}-0001" for number in range(count)]
    cells = {"cell_id": ids, "row": range(count), "pixel_size_um": 0.206349, "kept": True}
    cells |= {"top": 0, "left": 0, "field_height": SIDE, "field_width": SIDE}
    cells |= {"background_nucleus": 100, "background_protein": 100}
    pd.DataFrame(cells).to_parquet(root / "cells.parquet")


def embed_cells(root: Path) -> None:
    """The step that embeds the cells below `root` with the small DINO."""
    import pandas as pd
    from protloc.config.load import load_backbones
    from protloc.crops import open_crops
    from protloc.embed.images import CellCut, cell_images
    from protloc.embed.network import embed_network
    from protloc.variants import Variant

    crops = open_crops(root / "pixels.npy", root / "masks.npy")
    cut = CellCut(24.0, mask_neighbours=False, padding="background")
    cells = cell_images(pd.read_parquet(root / "cells.parquet"), crops, cut)
    network = load_backbones(REGISTRY)["dino_demo"]
    variants = [Variant("replicate_fill")]
    embed_network(cells, network, variants, root / "cells.out", batch_size=256, threads=1)


def step(name: str, root: Path) -> None:
    """One step of the workflow on what lies below `root`."""
    if name == "cells":
        embed_cells(root)
        return
    from protloc.embed.images import field_images
    from protloc.tables import read_table, write_table

    if name == "acquire":
        from protloc.acquire.fields import acquire_fields
        from protloc.acquire.store import list_images, open_store

        store = open_store(str(root / "mirror"), "us-west-2", None)
        fields = acquire_fields(store, list_images(store, "mirror"), root / "raw", 0.206349)
        write_table("fovs", fields, root / "fovs.parquet")
        return
    fovs, output = read_table("fovs", root / "fovs.parquet"), root / f"{name}.parquet"
    if name == "handmade":
        from protloc.embed.features import embed_features

        embed_features(field_images(fovs, root / "raw"), name, output, threads=1)
        return
    from protloc.config.load import load_backbones
    from protloc.embed.network import embed_network
    from protloc.variants import Variant

    network, variants = load_backbones(REGISTRY)[name], [Variant("replicate_fill")]
    embed_network(field_images(fovs, root / "raw"), network, variants, output, batch_size=32, threads=1)


def main() -> None:
    """Print a Markdown table of peak memory, MB, by step and number of fields."""
    print(f"| step | {' | '.join(f'{count} fields' for count in COUNTS)} |\n| --- |{' ---: |' * len(COUNTS)}")
    with tempfile.TemporaryDirectory() as folder:
        for count in COUNTS:
            make_mirror(Path(folder) / str(count), count)
        for name in STEPS:
            peaks = [peak(name, Path(folder) / str(count)) for count in COUNTS]
            print(f"| {name} | {' | '.join(f'{mb} MB' for mb in peaks)} |", flush=True)
        for count in CELLS:
            make_cells(Path(folder) / f"{count} cells", count)
            print(
                f"small DINO on {count} cells: {peak('cells', Path(folder) / f'{count} cells')} MB",
                flush=True,
            )


def peak(name: str, root: Path) -> int:
    """Peak resident memory of a step in a process of its own, MB."""
    done = subprocess.run(
        [sys.executable, __file__, name, root], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    return int(done.stdout)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        step(sys.argv[1], Path(sys.argv[2]))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    else:
        main()
