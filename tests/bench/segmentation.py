"""Nuclei found without weights, beside the recipe that scripts usually have: seconds, and agreement.

    python tests/bench/segmentation.py [FOLDER]

prints a Markdown table; with a folder, outlines on the images that are not the project's own go there, too.
`docs/nuclei.png`, the same on a simulated field, is always drawn. Times are of the processor, all threads
together, the best of five; counts by eye include nuclei that the edge cuts.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from protloc.cells.matching import matched_f1
from protloc.cells.nuclei.classical import find_nuclei
from protloc.simulate.field import Field, render_field
from protloc.simulate.traits import PIXEL_UM, draw_traits
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_local, threshold_otsu
from skimage.morphology import remove_small_objects
from skimage.segmentation import find_boundaries, watershed

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared/data/opencell-nuclei"
BY_EYE = {"fov_00007": 68, "fov_00027": 133, "fov_00156": 81}
DENSITIES = (0.5, 1.0, 1.5, 2.5)
FIELDS = 6  # of each density
SHOWN = 2  # seed of the field in the figure: nuclei that touch, overlap, divide, are cut, and some mistaken
USUAL_UM = 15.0
LABELLED_UM = 0.63  # µm per px at which the labelled image's nuclei would be as wide; its own is not known
Method = Callable[[np.ndarray, float], np.ndarray]


def recipe(nucleus: np.ndarray, pixel_size_um: float, *, local: bool) -> np.ndarray:
    """Gaussian, Otsu's threshold or a local one, distance, its peaks, watershed; sizes by the pixel size."""
    radius = USUAL_UM / pixel_size_um / 2
    smooth = gaussian(nucleus, radius / 15, preserve_range=True)
    mask = smooth > threshold_otsu(smooth)
    if local:
        floor = threshold_otsu(np.log(smooth + 1))
        mask = (smooth > threshold_local(smooth, 2 * round(1.5 * radius) + 1)) & (np.log(smooth + 1) > floor)
    mask = remove_small_objects(ndimage.binary_fill_holes(mask), max_size=round(0.3 * radius**2))
    depth = gaussian(ndimage.distance_transform_edt(mask), radius / 10)
    peaks = peak_local_max(
        depth, min_distance=round(0.5 * radius), labels=mask.astype(int), exclude_border=False
    )
    seeds = np.zeros(nucleus.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-depth, seeds, mask=mask)


METHODS: dict[str, Method] = {
    "protloc, `classical`": find_nuclei,
    "usual recipe, Otsu": lambda nucleus, um: recipe(nucleus, um, local=False),
    "usual recipe, local threshold": lambda nucleus, um: recipe(nucleus, um, local=True),
}


def main(folder: Path | None) -> None:
    """Print the table and draw the pictures."""
    fields = {density: [simulated(seed, density) for seed in range(FIELDS)] for density in DENSITIES}
    names = [f"density {density:g}" for density in DENSITIES]
    columns = ["s per field", "labelled image", *names, *BY_EYE]
    print("| method |", " | ".join(columns), "|")
    print("| --- |", " ---: |" * len(columns))
    print("| by eye |", " | ".join([""] * (2 + len(names)) + [str(count) for count in BY_EYE.values()]), "|")
    for name, method in METHODS.items():
        cells = [f"{seconds(method, fields[1.0][0]):.2f}", labelled(method)]
        for each in fields.values():
            cells.append(f"{np.mean([score(method, field) for field in each]):.3f}")
        cells += [counted(method, fov) for fov in BY_EYE]
        print(f"| {name} |", " | ".join(cells), "|", flush=True)
    shown = simulated(SHOWN, 2.5, 400)
    draw(shown.image[0], shown.nuclei, PIXEL_UM, ROOT / "docs/nuclei.png")
    if folder is not None:
        draw_others(folder)


def simulated(seed: int, density: float, size: int = 600) -> Field:
    """A field of the simulator; density is cells per area, relative."""
    rng = np.random.default_rng([seed, 2])
    return render_field({"chromatin": 3}, replace(draw_traits(rng), crowding=density), size, rng)


def seconds(method: Method, field: Field) -> float:
    """Of the processor for one field; the best of five."""
    times = []
    for _ in range(5):
        started = time.process_time()
        method(field.image[0], PIXEL_UM)
        times.append(time.process_time() - started)
    return min(times)


def score(method: Method, field: Field) -> float:
    """F1 at an overlap of one half, every sliver at the edge included."""
    return matched_f1(field.nuclei, method(field.image[0], PIXEL_UM))


def labelled_image() -> tuple[np.ndarray, np.ndarray] | None:
    """The real image that stardist ships and its labels, if it is installed."""
    spec = find_spec("stardist")
    if spec is None:
        return None
    folder = Path(spec.origin).parent / "data/images"
    return tifffile.imread(folder / "img2d.tif"), tifffile.imread(folder / "mask2d.tif")


def labelled(method: Method) -> str:
    """F1 on that image."""
    pair = labelled_image()
    return "" if pair is None else f"{matched_f1(pair[1], method(pair[0], LABELLED_UM)):.3f}"


def counted(method: Method, fov: str) -> str:
    """Nuclei in a real projection, where this checkout has it."""
    path = REAL / f"{fov}.tif"
    return str(method(tifffile.imread(path), PIXEL_UM).max()) if path.is_file() else ""


def draw(image: np.ndarray, truth: np.ndarray | None, pixel_size_um: float, path: Path) -> None:
    """The image in grey with outlines: found ones orange, true ones blue, white where they agree."""
    low, high = np.percentile(image, [0.5, 99.7])
    grey = np.clip((image - low) / (high - low), 0, 1) ** 0.6 * 200
    rgb = np.repeat(np.kron(grey, np.ones((2, 2)))[..., None], 3, axis=2).astype(np.uint8)
    found = outline(find_nuclei(image, pixel_size_um))
    rgb[found] = (255, 140, 0)
    if truth is not None:
        true = outline(truth)
        rgb[true] = (70, 140, 255)
        rgb[found & true] = (255, 255, 255)
    Image.fromarray(rgb).quantize(256).save(path, optimize=True)


def outline(labels: np.ndarray) -> np.ndarray:
    """The inner rims of the labels, at twice the size, bool."""
    return find_boundaries(np.kron(labels, np.ones((2, 2), labels.dtype)), mode="inner")


def draw_others(folder: Path) -> None:
    """Outlines on the labelled image and on the real projections."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = labelled_image()
    if pair is not None:
        draw(*pair, LABELLED_UM, folder / "labelled.png")
    for path in sorted(REAL.glob("*.tif")):
        draw(tifffile.imread(path), None, PIXEL_UM, folder / f"{path.stem}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
