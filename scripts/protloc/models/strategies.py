"""Channel strategies: how an image's channels reach the inputs of a network, each a list of matrices.

A matrix is slots × channels, channels being nucleus and protein; there is one matrix for each pass of the
network, and the vectors of several passes are concatenated. Channel c enters slot s as
`M[s, c] * (x - mean[s]) / std[s]`, x being its intensity from 0 to 1. So an empty slot, a row of zeros, is 0
*after* normalization: it adds nothing to the first layer, as if it showed its training mean everywhere, which
is also what the padding of a convolution shows. A black slot, 0 *before* normalization, would add a constant
colour cast of -mean/std that no channel of the image has asked for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations

from protloc.errors import InputError
from protloc.images import CHANNELS

Matrix = tuple[tuple[float, ...], ...]
SEED = 0  # of map_random; the matrix it gives is written into the embedding file


def matrices(strategy: str, slots: Sequence[str], natural: Mapping[str, str]) -> list[Matrix]:
    """The matrices (slots × channels) of a strategy, one per pass of a network with these slots.

    `natural` gives the slot that each channel belongs in. Raises InputError if it does not name a slot for
    each channel, or if the strategy cannot be had with these slots.
    """
    missing = [channel for channel in CHANNELS if natural.get(channel) not in slots]
    if missing:
        raise InputError(
            f"config/backbones.yaml: natural: name one of the slots {list(slots)} for channel {missing[0]}"
        )
    return STRATEGIES[strategy](slots, natural)


def map_natural(slots: Sequence[str], natural: Mapping[str, str]) -> list[Matrix]:
    """Each channel in its natural slot, other slots empty."""
    return [_matrix(slots, _own_slots(natural))]


def map_random(slots: Sequence[str], natural: Mapping[str, str]) -> list[Matrix]:
    """Each channel in a slot of its own that is not its natural one: the control of `map_natural`."""
    orders = [
        order
        for order in permutations(slots, len(CHANNELS))
        if all(slot != natural[channel] for slot, channel in zip(order, CHANNELS, strict=True))
    ]
    if not orders:
        raise InputError(
            f"config/backbones.yaml: map_random: slots {list(slots)} leave no order but the natural one"
        )
    order = random.Random(SEED).choice(orders)
    return [_matrix(slots, dict(zip(order, CHANNELS, strict=True)))]


def replicate_fill(slots: Sequence[str], natural: Mapping[str, str]) -> list[Matrix]:
    """No slot is empty: natural slots hold their channel, all others the protein."""
    return [_matrix(slots, dict.fromkeys(slots, "protein") | _own_slots(natural))]


def replicate_concat(slots: Sequence[str], natural: Mapping[str, str]) -> list[Matrix]:
    """One pass per channel, which is in every slot."""
    return [_matrix(slots, dict.fromkeys(slots, channel)) for channel in CHANNELS]


def channelwise_concat(slots: Sequence[str], natural: Mapping[str, str]) -> list[Matrix]:
    """One pass per channel, which is in its natural slot alone, other slots empty."""
    return [_matrix(slots, {natural[channel]: channel}) for channel in CHANNELS]


def adapt(slots: Sequence[str], natural: Mapping[str, str]) -> list[Matrix]:
    """What timm does to a first convolution when asked for fewer inputs, whatever the slots mean.

    Channel c takes the weights of slot c, going round, times slots / channels (timm 1.0.31,
    `adapt_input_conv`).
    """
    gain = len(slots) / len(CHANNELS)
    rows = range(len(slots))
    return [tuple(tuple(gain * (row == c % len(slots)) for c in range(len(CHANNELS))) for row in rows)]


STRATEGIES: dict[str, Callable[[Sequence[str], Mapping[str, str]], list[Matrix]]] = {
    function.__name__: function
    for function in (map_natural, map_random, replicate_fill, replicate_concat, channelwise_concat, adapt)
}


def _matrix(slots: Sequence[str], filling: Mapping[str, str]) -> Matrix:
    """Ones where `filling` puts a channel into a slot."""
    return tuple(tuple(float(filling.get(slot) == channel) for channel in CHANNELS) for slot in slots)


def _own_slots(natural: Mapping[str, str]) -> dict[str, str]:
    """The channel of each natural slot; raises InputError where two channels share one."""
    filling = {natural[channel]: channel for channel in CHANNELS}
    if len(filling) < len(CHANNELS):
        raise InputError("config/backbones.yaml: natural: channels share a slot; use channelwise_concat")
    return filling
