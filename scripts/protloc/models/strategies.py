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
SEED = 0  # of the order in which random mappings are drawn; the matrices are written into the embedding file
RANDOM = "map_random"


def draws_of(strategies: Sequence[str], random_draws: int) -> list[str]:
    """The strategies with `map_random` as its draws, `map_random_1` and up: one mapping says little."""
    draws = [f"{RANDOM}_{number}" for number in range(1, random_draws + 1)]
    return [name for strategy in strategies for name in (draws if strategy == RANDOM else [strategy])]


def possible(
    strategies: Sequence[str], slots: Sequence[str], natural: Mapping[str, str]
) -> dict[str, tuple[Matrix, ...]]:
    """The matrices of each strategy that these slots allow; a single slot takes one channel per pass.

    Raises InputError if they allow none.
    """
    found: dict[str, tuple[Matrix, ...]] = {}
    reasons = []
    for strategy in strategies:
        try:
            found[strategy] = tuple(matrices(strategy, slots, natural))
        except InputError as error:
            reasons.append(error)
    if not found:
        raise reasons[0]
    return found


def distinct(
    strategies: Sequence[str], slots: Sequence[str], natural: Mapping[str, str]
) -> dict[str, list[str]]:
    """The strategies that differ on these slots, each with the later ones that have the same matrices.

    Of two slots, say, replicate_fill leaves none to fill: it is map_natural.
    """
    first: dict[tuple[Matrix, ...], str] = {}
    found: dict[str, list[str]] = {}
    for strategy, of_strategy in possible(strategies, slots, natural).items():
        name = first.setdefault(of_strategy, strategy)
        found.setdefault(name, [])
        if name != strategy:
            found[name].append(strategy)
    return found


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
    if strategy.startswith(f"{RANDOM}_"):
        return map_random(slots, natural, int(strategy.rpartition("_")[2]))
    return STRATEGIES[strategy](slots, natural)


def map_natural(slots: Sequence[str], natural: Mapping[str, str]) -> list[Matrix]:
    """Each channel in its natural slot, other slots empty."""
    return [_matrix(slots, _own_slots(natural))]


def map_random(slots: Sequence[str], natural: Mapping[str, str], draw: int = 1) -> list[Matrix]:
    """Each channel in another slot than its natural one: the control of `map_natural`.

    Draws differ as long as there are mappings left, then they begin again.
    """
    orders = [
        order
        for order in permutations(slots, len(CHANNELS))
        if all(slot != natural[channel] for slot, channel in zip(order, CHANNELS, strict=True))
    ]
    if not orders:
        raise InputError(
            f"config/backbones.yaml: map_random: slots {list(slots)} leave no order but the natural one"
        )
    random.Random(SEED).shuffle(orders)
    order = orders[(draw - 1) % len(orders)]
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
    """What timm does to a first convolution of three inputs when asked for fewer, whatever the slots mean.

    Channel c takes the weights of slot c, in turn, times slots / channels (timm 1.0.31, `adapt_input_conv`).
    timm refuses other numbers of inputs than three; here the rule is carried on. With the slots of the Human
    Protein Atlas it puts the nucleus into the microtubules' and the protein into its natural slot, both
    doubled, so there it is no neutral control.
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
