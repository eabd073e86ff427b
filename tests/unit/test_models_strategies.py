from __future__ import annotations

import copy
from itertools import permutations
from typing import get_args

import numpy as np
import pytest
import torch
from protloc.config.settings import Strategy
from protloc.errors import InputError
from protloc.models.folding import FoldedConv, fold, normalization
from protloc.models.preprocess import NORMALIZATIONS, prepare
from protloc.models.strategies import STRATEGIES, distinct, draws_of, matrices, possible
from protloc.models.view import View
from timm import create_model
from timm.models import adapt_input_conv

torch.set_num_threads(1)  # tests beside others' work: threads that wait for each other are slow
RGB = ["red", "green", "blue"]
HPA = ["microtubules", "protein", "nucleus", "er"]
NATURAL = {"protein": "green", "nucleus": "blue"}
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def test_the_configuration_offers_every_strategy():
    assert set(get_args(Strategy)) == set(STRATEGIES)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("map_natural", [[[0, 0], [0, 1], [1, 0]]]),
        ("replicate_fill", [[[0, 1], [0, 1], [1, 0]]]),
        ("replicate_concat", [[[1, 0]] * 3, [[0, 1]] * 3]),
        ("channelwise_concat", [[[0, 0], [0, 0], [1, 0]], [[0, 0], [0, 1], [0, 0]]]),
        ("adapt", [[[1.5, 0], [0, 1.5], [0, 0]]]),
    ],
)
def test_matrices_are_slots_by_nucleus_and_protein(strategy, expected):
    assert np.array_equal(matrices(strategy, RGB, NATURAL), expected)


@pytest.mark.parametrize("slots", [*permutations(RGB), HPA, ["blue", "green"]])
def test_a_random_map_leaves_no_channel_in_its_own_slot(slots):
    natural = {"protein": slots[1], "nucleus": slots[0]}
    (matrix,) = np.array(matrices("map_random", slots, natural))
    assert matrix.sum() == 2 and (matrix.sum(axis=0) == 1).all()
    assert matrix[0, 0] == matrix[1, 1] == 0
    assert matrices("map_random", slots, natural)[0] == tuple(map(tuple, matrix))


def test_random_mappings_are_drawn_without_repeats_until_there_are_none_left():
    assert draws_of(["adapt", "map_random"], 2) == ["adapt", "map_random_1", "map_random_2"]
    natural = {"protein": "protein", "nucleus": "nucleus"}
    drawn = [tuple(matrices(name, HPA, natural)) for name in draws_of(["map_random"], 8)]
    assert len(set(drawn[:7])) == 7 and drawn[7] == drawn[0]  # 12 mappings, 5 of them with a natural slot


def test_strategies_that_are_the_same_are_named_as_such():
    every = draws_of(list(STRATEGIES), 3)
    assert all(
        same == [] for same in distinct(every, HPA, {"protein": "protein", "nucleus": "nucleus"}).values()
    )
    two = distinct(every, ["nucleus", "protein"], {"protein": "protein", "nucleus": "nucleus"})
    assert two["map_natural"] == ["replicate_fill", "adapt"]
    assert two["map_random_1"] == ["map_random_2", "map_random_3"]
    assert set(two) == {"map_natural", "map_random_1", "replicate_concat", "channelwise_concat"}


def test_a_network_of_one_slot_has_the_strategies_that_take_a_pass_a_channel():
    natural = {"protein": "grey", "nucleus": "grey"}
    found = distinct(draws_of(list(STRATEGIES), 2), ["grey"], natural)
    assert found["replicate_concat"] == ["channelwise_concat"] and "map_natural" not in found
    with pytest.raises(InputError, match="share a slot"):
        possible(["map_natural"], ["grey"], natural)


@pytest.mark.parametrize("slots", [3, 4])
def test_adapt_is_what_timm_does(slots):
    weight = torch.randn(8, slots, 3, 3, generator=torch.Generator().manual_seed(0))
    (matrix,) = matrices("adapt", HPA[:slots], {"protein": "protein", "nucleus": "nucleus"})
    mine = torch.einsum("oshw,sc->ochw", weight, torch.tensor(matrix))
    assert torch.allclose(mine, adapt_input_conv(2, weight, base_chans=slots))


@pytest.mark.parametrize(
    ("strategy", "slots", "natural", "word"),
    [
        ("map_natural", RGB, {"protein": "green"}, "nucleus"),
        ("map_natural", RGB, {"protein": "green", "nucleus": "infrared"}, "nucleus"),
        ("map_natural", RGB, {"protein": "green", "nucleus": "green"}, "share a slot"),
        ("map_random", ["grey"], {"protein": "grey", "nucleus": "grey"}, "no order"),
    ],
)
def test_slots_that_do_not_fit_are_refused(strategy, slots, natural, word):
    with pytest.raises(InputError, match=word):
        matrices(strategy, slots, natural)


def test_a_network_of_one_input_takes_a_channel_a_pass():
    natural = {"protein": "grey", "nucleus": "grey"}
    assert matrices("channelwise_concat", ["grey"], natural) == [((1.0, 0.0),), ((0.0, 1.0),)]


@pytest.fixture(scope="module", params=["tf_efficientnet_lite0", "vit"])
def model(request):
    torch.manual_seed(1)
    if request.param == "vit":
        sizes = {"embed_dim": 48, "depth": 2, "num_heads": 3, "dynamic_img_size": True}
        return create_model("vit_small_patch16_224", num_classes=0, **sizes).eval()
    return create_model(request.param, num_classes=0).eval()


def slots_of(images: torch.Tensor, matrix) -> torch.Tensor:
    """Normalized slots, written out: channel c is normalized as slot s wants it, and weighted."""
    slots = []
    for row, mean, std in zip(matrix, MEAN, STD, strict=True):
        slots.append(sum(part * (images[:, c] - mean) / std for c, part in enumerate(row)))
    return torch.stack(slots, dim=1)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("size", [(64, 64), (48, 80)])
def test_a_folded_model_equals_the_unfolded_one(model, strategy, size):
    images = torch.rand(2, 2, *size, generator=torch.Generator().manual_seed(2))
    for matrix in matrices(strategy, RGB, NATURAL):
        with torch.inference_mode():
            expected = model(slots_of(images, matrix))
            found = fold(model, matrix, MEAN, STD)(images)
        assert torch.allclose(found, expected, atol=1e-5, rtol=1e-5)


def test_folding_is_exact_at_the_border_too(model):
    name = model.pretrained_cfg["first_conv"]
    images = torch.rand(1, 2, 64, 64, generator=torch.Generator().manual_seed(3))
    for matrix in matrices("replicate_concat", RGB, NATURAL):
        expected = model.get_submodule(name)(slots_of(images, matrix))
        assert torch.allclose(fold(model, matrix, MEAN, STD).get_submodule(name)(images), expected, atol=1e-5)


MOMENTS = {name: (MEAN, STD) for name in NORMALIZATIONS} | {"standardize": ([0.0] * 3, [1.0] * 3)}


def shown(normalization: str) -> torch.Tensor:
    counts = torch.from_numpy(np.random.default_rng(4).integers(0, 4000, (1, 2, 40, 60), dtype=np.uint16))
    return prepare(counts, 0.2, View(0.25, None, 16), torch.device("cpu"), normalization).double()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_folding_is_exact_for_each_normalization_and_under_gradients(model, strategy, kind):
    """Gradients of the image, of shared weights, and, by the chain rule, of the convolution's own.

    In float64, where a rounding error does not push a pixel over the edge of a ReLU.
    """
    mean, std = MOMENTS[kind]
    model = copy.deepcopy(model).double()
    conv = model.get_submodule(model.pretrained_cfg["first_conv"])
    for matrix in matrices(strategy, RGB, NATURAL):
        scale, offset = normalization(matrix, mean, std)
        folded = fold(model, matrix, mean, std)
        inner = next(part for part in folded.modules() if isinstance(part, FoldedConv))
        first, second = (shown(kind).requires_grad_() for _ in range(2))
        slots = torch.einsum("sc,bchw->bshw", scale, first) + offset[:, None, None]
        last = list(model.parameters())[-1]
        expected, found = model(slots), folded(second)
        assert torch.allclose(found, expected, atol=1e-9)
        direction = torch.randn(expected.shape, generator=torch.Generator().manual_seed(5))
        theirs = torch.autograd.grad((expected * direction).sum(), [first, last, conv.weight])
        mine = torch.autograd.grad((found * direction).sum(), [second, last, inner.conv.weight])
        columns = torch.cat([scale, offset[:, None]], dim=1)
        chained = torch.einsum("ochw,sc->oshw", mine[2], columns)
        for one, other in zip((*mine[:2], chained), theirs, strict=True):
            assert torch.allclose(one, other, atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "adapt"])
def test_a_standardized_channel_in_a_slot_is_a_standardized_slot(strategy):
    """So nothing is lost by standardizing the image's channels instead of a network's four slots."""
    raw = torch.rand(2, 2, 40, 40, generator=torch.Generator().manual_seed(6))
    standardize = NORMALIZATIONS["standardize"].finish
    for matrix in matrices(strategy, HPA, {"protein": "protein", "nucleus": "nucleus"}):
        theirs = standardize(torch.einsum("sc,bchw->bshw", torch.tensor(matrix), raw))
        ours = torch.einsum("sc,bchw->bshw", torch.tensor(matrix), standardize(raw))
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_a_folded_model_shares_the_other_weights(model):
    folded = fold(model, matrices("map_natural", RGB, NATURAL)[0], MEAN, STD)
    shared = {id(parameter) for parameter in model.parameters()}
    assert sum(id(parameter) not in shared for parameter in folded.parameters()) <= 2


def test_a_model_without_a_plain_first_convolution_is_refused():
    mixer = create_model("convmixer_768_32").eval()
    mixer.pretrained_cfg = {}
    with pytest.raises(InputError, match="first convolution"):
        fold(mixer, matrices("map_natural", RGB, NATURAL)[0], MEAN, STD)
