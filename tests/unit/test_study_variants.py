"""Which variants a study has of each backbone, and which of them show images far from pretraining."""

from __future__ import annotations

import pytest
from protloc.config.load import load_backbones, load_study
from protloc.errors import InputError
from protloc.modules import SCRIPTS
from protloc.study_variants import finetuned_variants, impossible, token_warnings, variants_of
from protloc.variants import Variant, parse

REGISTRY = load_backbones(SCRIPTS.parent / "config/backbones.yaml")
FIELD_UM = 600 * 0.206349


def study(**changes: object):
    settings = {
        "study": "trial",
        "simulation": {},
        "embedding": {
            "backbones": ["efficientnet_lite0", "subcell", "hpa_fov_dino", "morphem", "handmade"],
            "strategies": ["map_natural", "map_random", "replicate_fill", "replicate_concat", "adapt"],
            "random_draws": 2,
            "scales": {"efficientnet_lite0": [0.5, 1.0]},
        },
        "cells": {"scales": {"hpa_fov_dino": [0.25, 1.0]}, "backbones": ["hpa_fov_dino", "handmade"]},
    }
    return load_study(settings | changes, REGISTRY)


def test_a_variant_has_a_name_that_reads_back():
    for variant in (Variant("map_natural"), Variant("map_random_2", 0.5), Variant("none", 1.0)):
        assert parse(str(variant)) == variant
    assert str(Variant("adapt", 2.0)) == "adapt-x2" and Variant("map_random_2").family == "map_random"


def test_strategies_that_are_the_same_for_a_backbone_are_one_variant_and_each_scale_another():
    trial = study()
    every = variants_of(trial, "efficientnet_lite0", REGISTRY["efficientnet_lite0"])
    assert len(every) == 6 * 2 and every == sorted(every)
    assert variants_of(trial, "subcell", REGISTRY["subcell"]) == [
        Variant(name) for name in ("map_natural", "map_random_1", "replicate_concat")
    ]
    assert variants_of(trial, "morphem", REGISTRY["morphem"]) == [
        Variant("adapt"),  # both channels added in its one slot
        Variant("replicate_concat"),
    ]
    assert impossible(trial, REGISTRY["morphem"]) == [
        "map_natural", "map_random_1", "map_random_2", "replicate_fill"
    ]  # fmt: skip
    assert variants_of(trial, "handmade", REGISTRY["handmade"], "cell") == [Variant("none")]
    assert Variant("adapt", 0.25) in variants_of(trial, "hpa_fov_dino", REGISTRY["hpa_fov_dino"], "cell")


def test_networks_are_fine_tuned_at_their_own_scale():
    trial = study(finetune={"backbones": ["efficientnet_lite0", "subcell"], "strategies": ["replicate_fill"]})
    found = [finetuned_variants(trial, name, REGISTRY[name]) for name in ("efficientnet_lite0", "subcell")]
    assert found == [[Variant("replicate_fill")], [Variant("map_natural")]]
    assert finetuned_variants(trial, "hpa_fov_dino", REGISTRY["hpa_fov_dino"]) == []


def test_images_far_from_the_size_of_pretraining_are_warned_of():
    lines = token_warnings(study(), REGISTRY, FIELD_UM)
    cells = [line for line in lines if "cells are" in line]
    assert len(cells) == 1 and "56 px at scale 0.25" in cells[0] and "DINO ViT-B/8" in cells[0]
    assert not any("EfficientNet" in line for line in lines)
    tiny = token_warnings(study(), REGISTRY, 20.0)
    assert any("EfficientNet" in line and "fields of view are" in line for line in tiny)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cells": {"scales": {"subcel": [1.0]}}}, "cells.scales: subcel is not one of"),
        ({"cells": {"scales": {"subcell": [2.0, 2.0]}}}, "has a value twice"),
    ],
)
def test_scales_of_what_is_not_in_the_study_are_refused(changes, said):
    with pytest.raises(InputError, match=said):
        study(**changes)
