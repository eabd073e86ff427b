"""Fields a second from TIFF to Parquet, beside the bare forward pass and the loop that scripts usually have.

Run by `make bench`. All on the same fields in one process each, on all cores, float32. The rival loop takes
batches of 24, decodes and resizes on the host for each, and reads everything again for each strategy.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZE = 256
CASES = {  # name: (registry row, options that replace its own, number of fields)
    "small ViT": ("vit_untrained", {}, 320),
    "EfficientNet-Lite0": ("efficientnet_lite0_untrained", {}, 320),
    "ViT-B/16 at 224 px": ("vit_untrained", {"embed_dim": 768, "depth": 12, "num_heads": 12}, 16),
}
STRATEGIES = {"small ViT": (1, 3), "EfficientNet-Lite0": (1, 3), "ViT-B/16 at 224 px": (1,)}
THREE = ("map_natural", "replicate_fill", "adapt")
WAYS = ("ours", "loop", "bare")
REGISTRY = Path(__file__).resolve().parents[2] / "config/backbones.yaml"


def main() -> None:
    """Print a Markdown table of rates and ratios."""
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, {SIZE} px fields, fields/s\n")
    print("| network | strategies | from TIFF to Parquet | usual loop | ratio | bare forward | share |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        simulate(Path(folder), max(count for *_, count in CASES.values()))
        for case, strategies in [(name, n) for name in CASES for n in STRATEGIES[name]]:
            ours, loop, bare = (rate(case, strategies, way, folder) for way in WAYS)
            row = f"| {case} | {strategies} | {ours:.1f} | {loop:.1f} | {ours / loop:.2f} |"
            print(f"{row} {bare:.1f} | {ours / bare:.0%} |", flush=True)


def simulate(folder: Path, count: int) -> None:
    """A mirror of at least `count` fields, and its table of fields."""
    from protloc.acquire.fields import acquire_fields
    from protloc.acquire.store import list_images, open_store
    from protloc.simulate.study import simulate_study
    from protloc.tables import write_table

    per_protein = -(-count // 17)
    simulate_study(
        folder / "mirror",
        proteins_per_class=1,
        fields_per_protein=per_protein,
        field_size=SIZE,
        seed=1,
        workers=2,
    )
    store = open_store(str(folder / "mirror"), "us-west-2", None)
    fovs = acquire_fields(store, list_images(store, "mirror"), folder / "raw", 0.206349).head(count)
    write_table("fovs", fovs, folder / "fovs.parquet")


def rate(case: str, strategies: int, way: str, folder: str) -> float:
    """Fields a second of one way in a process of its own, without its imports."""
    words = [sys.executable, __file__, case, str(strategies), way, folder]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return float(done.stdout.split()[-1])


def measure(case: str, strategies: int, way: str, folder: Path) -> float:
    """Fields a second."""
    import torch
    from protloc.config.load import load_backbones
    from protloc.tables import read_table

    row, options, count = CASES[case]
    network = load_backbones(REGISTRY)[row]
    scale = {"um_per_px": 0.206349 * SIZE / 224} if options else {}
    network = network.model_copy(update={"options": network.options | options, **scale})
    fovs = read_table("fovs", folder / "fovs.parquet").head(count)
    names, cores = list(THREE[:strategies]), len(os.sched_getaffinity(0))
    torch.set_num_threads(cores)
    run = {"ours": ours, "loop": loop, "bare": bare}[way]
    seconds = run(network, fovs, folder, names, cores)
    return count / seconds


def ours(network, fovs, folder: Path, names: list[str], cores: int) -> float:
    """Seconds of the embed room, from TIFF to Parquet, without what a job does once."""
    from protloc.embed.images import field_images
    from protloc.embed.network import embed_network
    from protloc.variants import Variant

    images, variants = field_images(fovs, folder / "raw"), [Variant(name) for name in names]
    path = folder / "ours.parquet"
    measured = embed_network(images, network, variants, path, batch_size=32, threads=cores)
    return len(fovs) / measured["images_per_second"]


def loop(network, fovs, folder: Path, names: list[str], cores: int) -> float:
    """Seconds of the usual loop: a strategy at a time, batches of 24, all but the model on the host."""
    import numpy as np
    import pandas as pd
    import torch
    from protloc.models.strategies import matrices
    from protloc.models.weights import build
    from skimage.transform import resize
    from tifffile import imread

    mean, std = (torch.tensor(values)[None, :, None, None] for values in network.moments)
    model, started = build(network), time.perf_counter()
    for name in names:
        vectors = []
        matrix = torch.tensor(matrices(name, network.slots, network.natural)[0], dtype=torch.float32)
        for start in range(0, len(fovs), 24):
            batch = []
            for key in fovs["key"][start : start + 24]:
                pixels = imread(folder / "raw" / key).astype(np.float32)
                low, high = np.percentile(pixels, [1, 99.9], axis=(1, 2), keepdims=True)
                scaled = np.clip((pixels - low) / (high - low), 0, 1)
                side = (
                    round(SIZE * 0.206349 / network.um_per_px / network.size_multiple) * network.size_multiple
                )
                batch.append(resize(scaled, (2, side, side), order=1, anti_aliasing=True).astype(np.float32))
            slots = torch.einsum("sc,bchw->bshw", matrix, torch.from_numpy(np.stack(batch)))
            with torch.inference_mode():
                vectors.append(model((slots - mean) / std).numpy())
        frame = pd.DataFrame({"fov_id": fovs["fov_id"], "vector": list(np.concatenate(vectors))})
        frame.to_parquet(folder / f"loop-{name}.parquet")
    return time.perf_counter() - started


def bare(network, fovs, folder: Path, names: list[str], cores: int) -> float:
    """Seconds of the model alone on tensors in memory, in batches of 32, once for each strategy."""
    import torch
    from protloc.models.weights import build

    model = build(network)
    side = round(SIZE * 0.206349 / network.um_per_px / network.size_multiple) * network.size_multiple
    images = torch.rand(32, len(network.slots), side, side)
    with torch.inference_mode():
        model(images)
        started = time.perf_counter()
        for _ in names:
            for start in range(0, len(fovs), 32):
                model(images[: len(fovs) - start])
    return time.perf_counter() - started


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(measure(sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])))
    else:
        main()
