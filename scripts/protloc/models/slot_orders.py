"""Which of a network's slots want the nucleus and which the protein, asked of the network itself.

The order of a checkpoint's inputs is a matter of documentation, and documentation may be wrong or contested.
A network that is shown its channels in their right slots sees images as it was trained on, and its vectors
then tell proteins apart better than in any other order: fields of the same protein lie nearer. That is
measured for every order, with its uncertainty over proteins.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from protloc.config.backbones import Network
from protloc.errors import InputError
from protloc.images import CHANNELS
from protloc.models.folding import fold
from protloc.models.preprocess import prepare
from protloc.models.retrieval import effective_dimensions, same_label_precision
from protloc.models.sample import LabelledField
from protloc.models.strategies import Matrix, matrices
from protloc.models.view import view_of
from protloc.models.weights import build
from protloc.progress import progress


class Order(NamedTuple):
    """Channels in slots and what that gives; `difference` and `error` are to the order of the registry."""

    nucleus: str
    protein: str
    precision: float
    difference: float
    error: float
    norm: float
    dimensions: float


def compare_orders(
    network: Network, fields: Sequence[LabelledField], pixel_size_um: float
) -> tuple[list[Order], Order]:
    """Every order of nucleus and protein in the network's slots, best first; and the registry's.

    Deterministic. Raises InputError for weights that cannot be had and slots that do not fit.
    """
    if len(network.slots) < len(CHANNELS):
        raise InputError(
            f"{network.title}: has one slot, which every channel enters in turn: no order to compare"
        )
    torch.set_num_threads(1)  # a sum over several threads would depend on their number
    genes = [field.gene for field in fields]
    vectors = _vectors(network, fields, pixel_size_um)
    precision = {
        order: _by_protein(same_label_precision(found, genes), genes) for order, found in vectors.items()
    }
    own = tuple(network.natural[channel] for channel in CHANNELS)
    orders = {order: _order(order, precision[order], precision[own], vectors[order]) for order in vectors}
    return sorted(orders.values(), key=lambda order: -order.precision), orders[own]


def _vectors(
    network: Network, fields: Sequence[LabelledField], pixel_size_um: float
) -> dict[tuple[str, ...], np.ndarray]:
    """The vectors (fields, dimension) of each order, from one reading of the fields."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build(network).to(device)
    folded = {order: fold(model, matrix, *network.moments) for order, matrix in _matrices(network).items()}
    rows: dict[tuple[str, ...], list[Tensor]] = {order: [] for order in folded}
    view = view_of(network, "fov")
    with torch.inference_mode():
        for field in progress(fields, total=len(fields), unit="fields"):
            images = prepare(
                torch.from_numpy(field.pixels)[None], pixel_size_um, view, device, network.normalization
            )
            for order, one in folded.items():
                rows[order].append(one(images)[0].float().cpu())
    return {order: torch.stack(found).numpy() for order, found in rows.items()}


def _matrices(network: Network) -> dict[tuple[str, ...], Matrix]:
    """The matrix of each order, a tuple of slots in the order of the channels; the others are empty."""
    orders = list(permutations(network.slots, len(CHANNELS)))
    natural = [dict(zip(CHANNELS, order, strict=True)) for order in orders]
    return {o: matrices("map_natural", network.slots, n)[0] for o, n in zip(orders, natural, strict=True)}


def _by_protein(values: np.ndarray, genes: Sequence[str]) -> np.ndarray:
    names = np.asarray(genes)
    means = (np.nanmean(values[names == gene]) for gene in sorted(set(genes)) if (names == gene).sum() > 1)
    return np.array(list(means))


def _order(slots: tuple[str, ...], precision: np.ndarray, own: np.ndarray, vectors: np.ndarray) -> Order:
    nucleus, protein = slots
    paired = precision - own
    error = float(paired.std(ddof=1) / np.sqrt(len(paired))) if len(paired) > 1 else float("nan")
    norm = float(np.linalg.norm(vectors, axis=1).mean())
    spread = effective_dimensions(vectors)
    return Order(nucleus, protein, float(precision.mean()), float(paired.mean()), error, norm, spread)


def table(orders: Sequence[Order], own: Order) -> str:
    """The orders as lines of text; the registry's has a star."""
    head = (
        f"  {'nucleus in':<14}{'protein in':<14}{'same protein':>13}{'against *':>18}{'norm':>9}{'dims':>7}"
    )
    lines = [
        f"{'*' if order == own else ' '} {order.nucleus:<14}{order.protein:<14}{order.precision:>13.3f}"
        f"{order.difference:>+10.3f} ± {order.error:.3f}{order.norm:>9.3g}{order.dimensions:>7.1f}"
        for order in orders
    ]
    return "\n".join([head, *lines])
