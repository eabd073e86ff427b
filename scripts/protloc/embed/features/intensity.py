"""How bright the channels are, how their brightness is distributed, and whether they go together."""

from __future__ import annotations

import numpy as np

BACKGROUND = 1  # percentile that is taken for the camera's offset
SHARES = (5, 25, 50, 75, 95, 99, 99.9)


def above_background(counts: np.ndarray) -> np.ndarray:
    """Float32 counts above each channel's 1st percentile, never negative, shape as given."""
    offset = np.percentile(counts, BACKGROUND, axis=(1, 2), keepdims=True)
    above = counts - offset
    return np.maximum(above, 0, out=above).astype(np.float32)


def intensity(image: np.ndarray) -> dict[str, float]:
    """Mean brightness (log2 of counts), then percentiles over the mean, and moments, of one channel."""
    mean = max(float(image.mean()), 1.0)
    percentiles = np.log2(1 + np.percentile(image, SHARES) / mean)
    return {
        "brightness": float(np.log2(mean)),
        **{f"p{share:g}": float(value) for share, value in zip(SHARES, percentiles, strict=True)},
        "variation": float(image.std()) / mean,
        **moments(standardized(image)),
    }


def together(nucleus: np.ndarray, protein: np.ndarray) -> dict[str, float]:
    """Correlation of the channels, and the share of each that lies where the other is above its mean."""
    return {
        "pearson": correlation(nucleus, protein),
        "pearson_log": correlation(np.log1p(nucleus), np.log1p(protein)),
        "protein_in_nucleus": share(protein, nucleus > nucleus.mean()),
        "nucleus_in_protein": share(nucleus, protein > protein.mean()),
    }


def standardized(image: np.ndarray) -> np.ndarray:
    """The image, float32, with mean 0 and standard deviation 1; zeros where it is constant."""
    centred = image - float(image.mean(dtype=np.float64))
    return centred / max(float(centred.std()), 1e-6)


def moments(deviation: np.ndarray) -> dict[str, float]:
    """Skewness and kurtosis of a standardized image, long tails drawn in by a root that keeps the sign."""
    square = deviation * deviation
    skewness, kurtosis = float((square * deviation).mean()), float((square * square).mean())
    return {
        "skewness": float(np.sign(skewness) * np.sqrt(abs(skewness))),
        "kurtosis": float(np.sqrt(kurtosis)),
    }


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's correlation; 0 if either is constant."""
    return float((standardized(first) * standardized(second)).mean()) if first.size else 0.0


def share(image: np.ndarray, where: np.ndarray) -> float:
    """The share of an image's light that lies in a mask, 0 to 1; 0 for a dark image."""
    total = float(image.sum(dtype=np.float64))
    return float(image[where].sum(dtype=np.float64)) / total if total else 0.0
