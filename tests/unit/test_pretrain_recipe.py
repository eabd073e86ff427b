"""The parts of the recipe of the study's own DINO."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from protloc.config.settings import Pretraining
from protloc.pretrain.crops import Canvas, places_of, views
from protloc.pretrain.draws import order
from protloc.pretrain.neighbours import accuracy
from protloc.pretrain.objective import Head, assign, disagreement, entropy
from protloc.pretrain.schedule import moment, same_start
from protloc.pretrain.watch import collapse

STEADY = {"cooldown_share": 0.5, "final_weight_decay": 0.04, "final_momentum": 0.996}


def test_targets_use_all_prototypes_whatever_the_teacher_prefers():
    cosines = 0.01 * torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    cosines[:, 3] += 0.9  # a collapsed teacher
    targets = assign(cosines, 0.3)
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(64))
    assert targets.sum(dim=0).min() > 3 and targets.sum(dim=0).max() < 13
    assert 0 < entropy(targets) < math.log(8)
    assert entropy(assign(cosines, 0.1)) < entropy(targets)


def test_a_view_is_not_compared_with_itself():
    same, other = torch.eye(4)[:2], torch.eye(4)[2:]
    logits = [20 * same, 20 * other]
    assert disagreement([same, other], logits, 1.0) > 10
    assert disagreement([other, same], logits, 1.0) < 1e-3


def test_views_are_made_of_images_of_any_size_and_follow_their_generator():
    images = [
        torch.full((2, 100, 60), 128, dtype=torch.uint8),
        torch.full((2, 30, 200), 128, dtype=torch.uint8),
    ]

    def made(seed: int, size: int = 24) -> torch.Tensor:
        return views(Canvas(images), size, [0.4, 1.0], torch.Generator().manual_seed(seed))

    assert made(1).shape == (2, 2, 24, 24) and made(1).dtype == torch.float32
    assert 0.2 < made(1).mean() < 0.8
    assert torch.equal(made(1), made(1)) and not torch.equal(made(1), made(2))
    assert made(1, 6).shape == (2, 2, 6, 6)


def test_a_view_shows_the_share_of_the_area_that_was_asked_for_and_lies_in_its_image():
    extents = torch.tensor([[64.0, 80.0]]).repeat(500, 1)
    places = places_of(extents, 8, [0.1, 0.3], torch.Generator().manual_seed(0))
    edges = places[:, 0, -1] - places[:, 0, 0], places[:, -1, 0] - places[:, 0, 0]
    area = (edges[0][:, 0] * edges[1][:, 1] - edges[0][:, 1] * edges[1][:, 0]).abs() * (8 / 7) ** 2 / 64**2
    assert 0.1 <= area.min() < 0.11 and 0.29 < area.max() <= 0.3
    assert area.mean() == pytest.approx(0.2, abs=0.01)
    assert torch.allclose(edges[0].norm(dim=1), edges[1].norm(dim=1), rtol=1e-4)
    for axis, extent in enumerate((80, 64)):
        assert 0 <= places[..., axis].min() < 4 and extent - 4 < places[..., axis].max() <= extent


def test_a_view_of_a_whole_image_is_mirrored_at_the_edges_and_finds_every_pixel_where_it_is():
    image = torch.arange(40, dtype=torch.uint8).repeat(1, 30, 1)
    canvas = Canvas([image, torch.full((1, 50, 60), 255, dtype=torch.uint8)])
    places = places_of(canvas.extents, 64, [1.0, 1.0], torch.Generator().manual_seed(3))
    assert places[0].amin() == 0.5 and places[0, ..., 0].amax() <= 39.5 and places[0, ..., 1].amax() == 29.5
    torch.testing.assert_close(255 * canvas.sample(places)[0, 0], places[0, ..., 0] - 0.5, rtol=0, atol=1e-3)


def test_the_schedules_are_those_of_dino():
    settings = Pretraining(epochs=1, warmup_steps=10, learning_rate=1.0)
    steps = 210
    found = [moment(step, steps, settings) for step in range(steps)]

    def cosine(first: float, last: float, count: int) -> np.ndarray:
        return last + 0.5 * (first - last) * (1 + np.cos(np.pi * np.arange(count) / count))

    rates = [*(np.arange(1, 11) / 10), *cosine(1.0, 1e-6, 200)]
    assert [now.learning_rate for now in found] == pytest.approx(rates, abs=1e-12)
    assert [now.weight_decay for now in found] == pytest.approx(cosine(0.04, 0.4, steps), abs=1e-12)
    started = np.minimum(cosine(0.996, 1.0, steps), 1 - 1 / np.arange(2, steps + 2))
    assert [now.momentum for now in found] == pytest.approx(started, abs=1e-12)


def test_the_learning_rate_can_stay_and_its_start_then_ignores_the_end():
    settings = Pretraining(epochs=1, warmup_steps=10, learning_rate=1.0, **STEADY)
    rates = [moment(step, 100, settings).learning_rate for step in range(100)]
    assert rates[0] == 0.1 and rates[9:51] == [1.0] * 42 and 0 < rates[-1] < 0.01
    assert same_start(51, 100, 400, settings) and not same_start(52, 100, 400, settings)
    assert not same_start(2, 100, 400, settings.model_copy(update={"final_momentum": 1.0, "momentum": 0.3}))


def test_an_epoch_passes_over_the_images_as_often_as_it_is_told():
    settings = Pretraining(epochs=1, repeats=3, batch_size=4)
    drawn = np.array(order(1, 10, settings)).reshape(3, 10)
    assert (np.sort(drawn, axis=1) == np.arange(10)).all() and not (drawn[0] == drawn[1]).all()
    assert settings.epoch_steps(10) == 7 and settings.epoch_steps(1) == 1


def test_the_head_is_three_layers_a_bottleneck_and_normalized_prototypes():
    head = Head(6, 3, 10, 4, 5)
    shapes = [tuple(part.weight.shape) for part in head.projection if isinstance(part, torch.nn.Linear)]
    assert shapes == [(10, 6), (10, 10), (4, 10)] and head.prototypes.shape == (5, 4)
    features = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    before = head(features)
    head.prototypes.data *= 7
    torch.testing.assert_close(head(features), before)
    assert before.abs().max() <= 1


def test_neighbours_are_of_other_proteins():
    vectors = np.repeat(np.eye(4), 8, axis=0) + 1e-3 * np.random.default_rng(0).standard_normal((32, 4))
    labels = np.repeat(np.arange(4), 8)
    assert accuracy(vectors, labels, np.arange(32)) == 1
    assert accuracy(vectors, labels, labels) == 0


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ({"loss": 1.5, "teacher_entropy": 1.0, "variation": 0.001}, "nearly alike"),
        ({"loss": 1.5, "teacher_entropy": 2.08, "variation": 0.3}, "say nothing"),
        ({"loss": 2.2, "teacher_entropy": 1.0, "variation": 0.3}, "no better than guessing"),
        ({"loss": 1.5, "teacher_entropy": 1.0, "variation": 0.3}, None),
    ],
)
def test_a_collapse_is_told_in_words(last, words):
    found = collapse([{"variation": 0.3}, last], 8)
    assert words in found if words else found is None
