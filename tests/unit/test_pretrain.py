from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from protloc import checkpoints
from protloc.config.backbones import PRETRAINED, Network
from protloc.config.load import load_backbones, load_study, read_yaml
from protloc.config.settings import Pretraining, Untested
from protloc.errors import InputError
from protloc.hashing import sha256_path
from protloc.models.weights import build
from protloc.pretrain import fields, train
from protloc.pretrain.dino import pretrain
from protloc.pretrain.roles import hold_out, under_test
from protloc.pretrain.watch import collapse
from protloc.tables import write_table

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("cytoplasmic", "nucleoplasm")
BACKBONE = {
    "kind": "network",
    "title": "test",
    "architecture": "vit_small_patch16_224",
    "options": {
        "patch_size": 8, "img_size": 24, "embed_dim": 16, "depth": 1, "num_heads": 2,
        "dynamic_img_size": True,
    },
    "weights": PRETRAINED,
    "layout": "safetensors",
    "feature": "pooled",
    "slots": ["nucleus", "protein"],
    "natural": {"nucleus": "nucleus", "protein": "protein"},
    "mean": [0.2, 0.2],
    "std": [0.2, 0.2],
    "um_per_px": 0.4,
    "size_multiple": 8,
}  # fmt: skip
STEADY = {"cooldown_share": 0.5, "final_weight_decay": 0.04, "final_momentum": 0.996}
SETTINGS = {
    "epochs": 3, "batch_size": 4, "large_px": 24, "small_px": 16, "small_views": 1, "prototypes": 8,
    "head_width": 16, "bottleneck": 8, "warmup_steps": 4, "held_out_share": 0.3, "learning_rate": 1e-3,
    "large_area": [0.2, 0.6], "small_area": [0.1, 0.2],
}  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> tuple[pd.DataFrame, pd.DataFrame, Path]:
    """Five proteins of each of two classes, two fields each."""
    root = tmp_path_factory.mktemp("raw")
    fovs, proteins = [], []
    for gene in range(10):
        proteins.append((f"G{gene}", [CLASSES[gene % 2]]))
        for field in range(2):
            number = 2 * gene + field
            size = (2, 96, 80 + 8 * field)
            counts = np.random.default_rng(number).integers(300, 5000, size, dtype=np.uint16)
            tifffile.imwrite(root / f"{number}.tif", counts)
            digest = sha256_path(root / f"{number}.tif")
            fovs.append((f"FID{number:08d}", f"G{gene}", f"{number}.tif", digest, 0.2, "ok"))
    columns = ["fov_id", "gene", "key", "sha256", "pixel_size_um", "status"]
    return pd.DataFrame(fovs, columns=columns), pd.DataFrame(proteins, columns=["gene", "grade_3"]), root


def run(
    study, folder: Path, tested: frozenset[str] = frozenset(), **changed
) -> tuple[bytes, pd.DataFrame, pd.DataFrame]:
    folder.mkdir(exist_ok=True)
    weights, work = folder / "weights.safetensors", folder / ".checkpoints"
    fovs, proteins, root = study
    made = pretrain(fovs, proteins, tested, root, BACKBONE, SETTINGS | changed, weights, work, {})
    assert not work.exists()
    return weights.read_bytes(), *made


@pytest.fixture(scope="module")
def undisturbed(study, tmp_path_factory) -> tuple[bytes, pd.DataFrame, pd.DataFrame]:
    return run(study, tmp_path_factory.mktemp("undisturbed"))


def killed_after(done: int, study, folder: Path, monkeypatch, **changed) -> None:
    """A run that ends between an epoch's checkpoint and the next epoch."""
    save = checkpoints.save

    def save_and_die(place, identity, state):
        save(place, identity, state)
        if state["curve"][-1]["epoch"] == done:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train.checkpoints, "save", save_and_die)
        run(study, folder, **changed)


def test_the_weights_are_a_network_of_the_registry_and_no_longer_the_first_ones(undisturbed, tmp_path):
    path = tmp_path / "own.safetensors"
    path.write_bytes(undisturbed[0])
    trained = build(Network.model_validate(BACKBONE | {"weights": str(path)}))
    first = build(Network.model_validate(BACKBONE | {"weights": None, "layout": None, "seed": 0}))
    assert not torch.equal(trained.patch_embed.proj.weight, first.patch_embed.proj.weight)
    assert trained(torch.rand(1, 2, 48, 48)).shape == (1, 16)


def test_the_curve_has_a_row_before_and_after_each_epoch(undisturbed, tmp_path):
    curve = undisturbed[1]
    write_table("curve", curve, tmp_path / "curve.parquet")
    assert curve["epoch"].tolist() == [0, 1, 2, 3] and curve["step"].diff().dropna().eq(3).all()
    assert np.isfinite(curve["loss"][1:]).all() and curve["knn_accuracy"].between(0, 1).all()


@pytest.mark.parametrize("epochs", [1, 2])
def test_killed_and_started_again_gives_the_same_bytes(study, undisturbed, tmp_path, monkeypatch, epochs):
    killed_after(epochs, study, tmp_path, monkeypatch)
    assert (tmp_path / ".checkpoints" / train.CHECKPOINT).exists()
    weights, curve, images = run(study, tmp_path)
    assert weights == undisturbed[0]
    pd.testing.assert_frame_equal(curve, undisturbed[1])
    pd.testing.assert_frame_equal(images, undisturbed[2])


def test_a_checkpoint_before_the_fall_serves_a_longer_run_and_one_after_it_does_not(
    study, tmp_path, monkeypatch, caplog
):
    expected = run(study, tmp_path / "longer", epochs=4, **STEADY)[0]
    for done, said in ((1, "going on"), (2, "starting again")):
        folder = tmp_path / f"after{done}"
        killed_after(done, study, folder, monkeypatch, epochs=2, **STEADY)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            assert run(study, folder, epochs=4, **STEADY)[0] == expected
        assert said in caplog.text


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_left_aside(
    study, undisturbed, tmp_path, monkeypatch, caplog
):
    killed_after(1, study, tmp_path / "other", monkeypatch, learning_rate=0.1)
    assert run(study, tmp_path / "other")[0] == undisturbed[0]
    damaged = tmp_path / "damaged" / ".checkpoints" / train.CHECKPOINT
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"\x08\0\0\0\0\0\0\0 and nothing more")
    assert run(study, tmp_path / "damaged")[0] == undisturbed[0]
    assert "of another run" in caplog.text and "not readable" in caplog.text


def test_the_order_of_rows_and_bad_fields_change_nothing(study, undisturbed, tmp_path):
    fovs, proteins, root = study
    bad = fovs.iloc[:1].assign(fov_id="FID00000099", status="bad", key="none.tif")
    mixed = pd.concat([fovs.sample(frac=1, random_state=1), bad])
    assert run((mixed, proteins.iloc[::-1], root), tmp_path)[0] == undisturbed[0]


def test_too_few_fields_are_refused_in_one_line(study, tmp_path):
    fovs, proteins, root = study
    with pytest.raises(
        InputError, match=r"pretraining: \d+ fields to train on .* lower pretraining.batch_size"
    ):
        run((fovs, proteins, root), tmp_path, batch_size=64)


def test_held_out_proteins_are_whole_and_of_every_class_that_can_spare_them(study):
    fovs, proteins, _ = study
    held = hold_out(fovs, proteins, 0.3, 0)
    assert fovs[held].groupby("gene").size().eq(2).all()
    assert sorted(proteins.set_index("gene")["grade_3"][fovs[held]["gene"].unique()].str[0]) == sorted(
        2 * CLASSES
    )
    assert not hold_out(fovs[fovs["gene"].isin(["G0", "G2", "G4", "G1"])], proteins, 0.3, 0).any()


@pytest.fixture
def split(study) -> pd.DataFrame:
    """A split that tests another protein under each of two seeds."""
    tested = {0: ["G8"], 1: ["G9"]}
    rows = [
        study[0][["fov_id", "gene"]].assign(seed=seed, part=study[0]["gene"].isin(genes))
        for seed, genes in tested.items()
    ]
    return pd.concat(rows).replace({"part": {True: "test", False: "train"}})


@pytest.mark.parametrize(("seed", "genes"), [(0, {"G8"}), (None, {"G8", "G9"})])
def test_what_a_split_tests_is_never_read(study, split, tmp_path, monkeypatch, seed, genes):
    read = []
    read_field = fields.read_field
    monkeypatch.setattr(
        fields, "read_field", lambda root, key, digest: read.append(key) or read_field(root, key, digest)
    )
    tested = under_test(split, Untested(seed=seed))
    images = run(study, tmp_path, tested, epochs=1, batch_size=2)[2]
    fovs = study[0].set_index("key").loc[read]
    assert len(set(read)) == len(read) == len(study[0]) - len(tested)
    assert not set(fovs["gene"]) & genes and not set(fovs["fov_id"]) & tested
    assert set(images.loc[images["role"] == "excluded", "gene"]) == genes


def test_the_images_say_what_the_training_was_given(study, undisturbed, tmp_path, monkeypatch):
    images = undisturbed[2].set_index("fov_id")
    write_table("pretraining_images", undisturbed[2], tmp_path / "images.parquet")
    given = []
    first = train.Training.__init__
    monkeypatch.setattr(
        train.Training,
        "__init__",
        lambda self, pixels, *others: given.extend(pixels) or first(self, pixels, *others),
    )
    run(study, tmp_path, epochs=1)
    held = set(images.index[images["role"] == "held_out"])
    assert set(images["role"]) == {"pretrained", "held_out"} and len(images) == len(study[0])
    assert len(given) == len(images) - len(held)
    assert set(images.loc[images["role"] == "pretrained", "gene"]).isdisjoint(images.loc[[*held], "gene"])
    assert (images["backbone"] == "own_dino").all()


def test_prototypes_stay_as_they_are_in_the_first_epochs(study, tmp_path, monkeypatch):
    seen = []
    follow = train.follow

    def watch(teacher, student, momentum):
        seen.append(student.head.prototypes.detach().clone())
        follow(teacher, student, momentum)

    monkeypatch.setattr(train, "follow", watch)
    run(study, tmp_path, epochs=2, frozen_epochs=1)
    assert len(seen) == 6
    assert torch.equal(seen[0], seen[2]) and not torch.equal(seen[2], seen[3])


@pytest.mark.parametrize(
    ("backbones", "pretraining", "words"),
    [
        (["own"], None, "makes the weights of own itself"),
        (["other"], {"backbone": "other", "epochs": 1}, "pretraining.backbone: other is no network"),
        (["other"], {"backbone": "none", "epochs": 1}, "pretraining.backbone: none is no network"),
    ],
)
def test_a_study_makes_the_weights_that_it_uses(backbones, pretraining, words):
    other = BACKBONE | {"weights": None, "layout": None, "seed": 0}
    registry = {"own": Network.model_validate(BACKBONE), "other": Network.model_validate(other)}
    values = {
        "study": "s",
        "simulation": {},
        "embedding": {"backbones": backbones},
        "pretraining": pretraining,
    }
    with pytest.raises(InputError, match=words):
        load_study(values, registry)


@pytest.mark.parametrize(
    ("exclude", "splits", "words"),
    [
        ({"unit": "fov"}, {"units": ["protein"]}, "exclude.unit: fov is not one of the study's"),
        ({"seed": 7}, {"seeds": [0, 1]}, "exclude.seed: 7 is not one of"),
        ({"label_policy": "multi"}, {}, "exclude.label_policy: multi is not one of"),
        ({}, None, "there are no splits"),
    ],
)
def test_only_what_the_study_tests_can_be_left_out(exclude, splits, words):
    registry = {"own": Network.model_validate(BACKBONE)}
    values = {
        "study": "s",
        "simulation": {},
        "embedding": {"backbones": ["own"]},
        "pretraining": {"backbone": "own", "epochs": 1, "exclude": exclude},
        "splits": splits,
    }
    with pytest.raises(InputError, match=words):
        load_study(values, registry)


def test_an_area_has_its_smaller_end_first():
    with pytest.raises(ValueError, match="give the smaller one first"):
        Pretraining(epochs=1, large_area=[1.0, 0.4])


def test_the_shipped_checkpoint_is_what_its_record_says_and_loads():
    folder = ROOT / "config/weights"
    weights = folder / "dino_demo.safetensors"
    record = json.loads((folder / "dino_demo.record.json").read_text())
    study = load_study(
        read_yaml(ROOT / "config/dino_demo.yaml"), load_backbones(ROOT / "config/backbones.yaml")
    )
    assert weights.stat().st_size < 12e6 and sha256_path(weights) == record["sha256"]
    now = study.pretraining.model_dump(mode="json")
    assert record["params"]["pretraining"] == {name: now[name] for name in record["params"]["pretraining"]}
    curve = pd.read_csv(folder / "dino_demo.curve.csv")
    assert curve["epoch"].tolist() == list(range(study.pretraining.epochs + 1))
    assert collapse(curve.to_dict("records"), study.pretraining.prototypes) is None
    assert curve["knn_accuracy"].iloc[-1] > curve["knn_accuracy"].iloc[0]
    network = load_backbones(ROOT / "config/backbones.yaml")["dino_demo"]
    with torch.inference_mode():
        assert build(network)(torch.rand(1, 2, 128, 128)).shape == (1, 128)
