from __future__ import annotations

import random
import runpy
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile
import timm
import torch
from labelled_study import proteins_of
from protloc import checkpoints
from protloc.config.backbones import Network
from protloc.config.load import load_backbones, load_study
from protloc.config.settings import Augment, Finetune, Probe
from protloc.embed.images import field_images
from protloc.embed.network import embed_network
from protloc.errors import InputError
from protloc.fields import good_fields
from protloc.finetune import runs as room
from protloc.finetune import train
from protloc.finetune.augment import crop
from protloc.finetune.best import Best
from protloc.finetune.draws import order, sample_rng, steps_of
from protloc.finetune.gradients import Block, accumulate
from protloc.finetune.low_rank import LowRank
from protloc.finetune.machine import BLOCK, Machine
from protloc.finetune.optimizer import factor, optimizer_of
from protloc.finetune.parts import MODES
from protloc.finetune.runs import Job, Kept, finetune, training_of
from protloc.finetune.train import Training
from protloc.hashing import sha256_path
from protloc.kept import KeptRuns
from protloc.modules import SCRIPTS
from protloc.probe.runs import probe
from protloc.runs import plan
from protloc.splits.table import make_split
from protloc.tables import read_table, write_table, write_tables
from protloc.variants import Variant
from protloc.vectors import read_vectors
from test_records import Named

torch.set_num_threads(1)
CPU = torch.device("cpu")
CLASSES = ("dots", "even", "rim")
FRACTIONS = [0.5, 1.0]
VIT = {
    "kind": "network",
    "title": "tiny ViT",
    "architecture": "vit_small_patch16_224",
    "options": {
        "patch_size": 16, "img_size": 64, "embed_dim": 32, "depth": 3, "num_heads": 2,
        "dynamic_img_size": True,
    },
    "seed": 0,
    "feature": "pooled",
    "slots": ["red", "green", "blue"],
    "natural": {"nucleus": "blue", "protein": "green"},
    "mean": [0.2, 0.2, 0.2],
    "std": [0.2, 0.2, 0.2],
    "um_per_px": 0.4,
    "size_multiple": 16,
}  # fmt: skip
CONVOLUTIONS = VIT | {
    "title": "tiny convolutions", "architecture": "mobilenetv3_small_050", "options": {}, "feature": None,
    "size_multiple": 1,
}  # fmt: skip
DINOV3 = VIT | {
    "title": "tiny DINOv3", "architecture": "vit_small_patch16_dinov3_qkvb",
    "options": {"embed_dim": 32, "depth": 1, "num_heads": 2},
}  # fmt: skip
FAST = {
    "epochs": 3, "min_steps": 2, "batch_size": 16, "learning_rate": 2e-3, "patience": 3, "layer_decay": 0.9,
    "drop_path": 0.2, "px": 48,
}  # fmt: skip
PROBE = Probe(c=[1e-2, 1e-1, 1.0], epochs=4, min_steps=4, weight_decay=[1.0]).model_dump(exclude={"heads"})


def pixels(label: str, chance: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A nucleus, and a protein channel that looks as the label says."""
    rows, columns = np.indices(size)
    distance = np.hypot(rows - size[0] / 2, columns - size[1] / 2) / (size[0] / 2)
    look = {
        "dots": chance.random(size) < 0.05,
        "even": distance < 0.9,
        "rim": (distance > 0.6) & (distance < 0.8),
    }[label]
    channels = np.stack([distance < 0.5, look]) * chance.uniform(1500, 3000, (2, 1, 1)) + 400
    return (channels + 100 * chance.standard_normal(channels.shape)).astype(np.uint16)


class Small:
    """Twelve proteins of each class with two fields, below `root`; the larger ones are 64 by 80 px."""

    def __init__(self, root: Path) -> None:
        self.root = root
        rows, self.labels = [], {f"G{n:02d}": [CLASSES[n % 3]] for n in range(36)}
        fields = [(gene, label) for gene, (label,) in self.labels.items() for _ in range(2)]
        for number, (gene, label) in enumerate(fields):
            size = (64, 80) if number % 5 == 0 else (64, 64)
            path = root / f"{number}.tif"
            tifffile.imwrite(path, pixels(label, np.random.default_rng(number), size))
            rows.append((f"FID{number:08d}", gene, path.name, sha256_path(path), *size))
        self.fovs = pd.DataFrame(rows, columns=["fov_id", "gene", "key", "sha256", "height", "width"])
        unused = {"ensg_id": "ENSG00000000001", "line_id": "CID000001", "size_bytes": 1, "problem": None}
        self.fovs = self.fovs.assign(pixel_size_um=0.4, status="ok", **unused)
        self.proteins = proteins_of(self.labels)

    def write(self) -> None:
        """The tables that the script reads."""
        self.vectors()
        for name, table in (("fovs", self.fovs), ("proteins", self.proteins)):
            write_table(name, table, self.root / f"{name}.parquet")
        write_table("splits", self.split(), self.root / "protein-single.parquet")

    def split(self, seeds=(0,), several: bool = False) -> pd.DataFrame:
        labels = self.labels
        if several:
            labels = {gene: sorted({*own, CLASSES[n % 2]}) for n, (gene, own) in enumerate(labels.items())}
        shares = {"test_share": 0.25, "validation_share": 0.2, "fractions": FRACTIONS}
        return make_split(self.fovs, labels, unit="protein", seeds=seeds, **shares)

    def vectors(self, backbone: dict = VIT, strategy: str = "map_natural") -> tuple[list[str], np.ndarray]:
        path = self.root / f"{backbone['architecture']}-{strategy}.parquet"
        if not path.exists():
            images = field_images(self.fovs, self.root)
            network = Network.model_validate(backbone)
            embed_network(images, network, [Variant(strategy)], path, batch_size=8, threads=1)
        return read_vectors(path, Variant(strategy))

    def job(
        self,
        backbone: dict = VIT,
        strategy: str = "map_natural",
        threads: int = 1,
        head="logistic",
        **changed,
    ) -> Job:
        return Job(
            good_fields(self.fovs), self.root, *self.vectors(backbone, strategy), self.proteins,
            Network.model_validate(backbone), strategy, Finetune(**FAST | changed), head, PROBE,
            Machine(CPU, BLOCK, threads),
        )  # fmt: skip


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Small:
    return Small(tmp_path_factory.mktemp("raw"))


def run_all(
    job: Job, split: pd.DataFrame, folder: Path, policy="single", fractions=(1.0,)
) -> tuple[list[bytes], int]:
    """The bytes of the predictions of all runs, tuned and at epoch 0, and how many were trained."""
    folder.mkdir(exist_ok=True)
    runs = plan({("protein", policy): split}, fractions, [], Variant(job.strategy))
    kept = Kept(*(KeptRuns("predictions", folder / name, job.identity) for name in (".kept", ".kept_0")))
    new = sum(run not in kept for run in runs)
    tables, _ = finetune(job, runs, kept, folder / ".checkpoint.safetensors")
    paths = [folder / "predictions.parquet", folder / "epoch_0.parquet"]
    for rows, path in zip(tables, paths, strict=True):
        write_tables("predictions", rows, path)
    assert not (folder / ".checkpoint.safetensors").exists()
    return [path.read_bytes() for path in paths], new


def training_on(job: Job, split: pd.DataFrame, policy: str = "single") -> Training:
    """A training that has not begun."""
    (run,) = plan({("protein", policy): split}, [1.0], [], Variant(job.strategy))
    return training_of(job, run, room.Fields(job.fields, job.root, job.network), pd.Index(job.names))


def accuracy(path: Path) -> float:
    rows = read_table("predictions", path)
    return float((rows["truth"].str[0] == rows["predicted"].str[0]).mean())


def changed(training: Training, folder: Path) -> set[str]:
    """The tensors that differ after a run, those of the head aside."""
    before = {name: of.clone() for name, of in training.model.state_dict().items()}
    training.run(folder / "checkpoint", "one")
    after = training.model.state_dict()
    return {name for name, of in before.items() if not torch.equal(of, after[name]) and "head" not in name}


@pytest.fixture
def last_epoch(monkeypatch):
    """Training ends with the last epoch's weights, not the best."""
    monkeypatch.setattr(Best, "restore", lambda self: None)


@pytest.mark.parametrize("backbone", [VIT, CONVOLUTIONS], ids=["vit", "convolutions"])
def test_full_changes_all_parameters_and_no_statistic_and_learns(small, tmp_path, last_epoch, backbone):
    training = training_on(small.job(backbone, epochs=4), small.split())
    parameters = {name for name, _ in training.model.named_parameters() if "head" not in name}
    assert changed(training, tmp_path) == parameters
    assert training.losses[-1] < 0.9 * training.losses[0]


def test_the_last_blocks_alone_change_and_learn(small, tmp_path, last_epoch):
    training = training_on(small.job(mode="last_n_blocks", n_blocks=1, epochs=6), small.split())
    found = changed(training, tmp_path)
    assert found == {name for name in training.parameters if "head" not in name}
    assert {name.split(".")[2] for name in found} == {"blocks", "norm"}
    assert {name.split(".")[3] for name in found if ".blocks." in name} == {"2"}
    assert training.losses[-1] < training.losses[0]


@pytest.mark.parametrize(
    ("architecture", "stack", "last"),
    [
        ("tf_efficientnet_lite0", "blocks", 6),
        ("convnext_atto", "stages", 3),
        ("vit_tiny_patch16_224", "blocks", 11),
    ],
)
def test_the_last_blocks_of_convolutional_networks_are_stages(architecture, stack, last):
    model = timm.create_model(architecture, num_classes=0)
    MODES["last_n_blocks"](model, Finetune(n_blocks=1), 0)
    learning = {name for name, of in model.named_parameters() if of.requires_grad}
    assert {name.split(".")[1] for name in learning if name.startswith(stack)} == {str(last)}
    assert not any(name.startswith(("conv_stem", "stem", "patch_embed", "bn1")) for name in learning)


def test_adapters_alone_change_and_learn(small, tmp_path, last_epoch):
    settings = {"mode": "low_rank", "rank": 4, "learning_rate": 2e-2, "epochs": 6}
    training = training_on(small.job(**settings), small.split())
    found = changed(training, tmp_path)
    assert len(found) == 3 * 2 * 2 and {name.rsplit(".", 1)[1] for name in found} == {"down", "up"}
    assert training.losses[-1] < training.losses[0]


@pytest.mark.parametrize("strategy", ["map_natural", "replicate_concat"])
@pytest.mark.parametrize("mode", ["full", "low_rank"])
def test_at_first_the_network_is_the_frozen_one(small, mode, strategy):
    job = small.job(strategy=strategy, mode=mode)
    training, vectors = training_on(job, small.split()), torch.from_numpy(job.vectors.copy())
    for size in ((64, 64), (64, 80)):
        places = [place for place in range(len(vectors)) if training.fields.sizes[place] == size][:BLOCK]
        with torch.inference_mode():
            found = training.model.vectors(torch.stack([training.fields[place] for place in places]))
        torch.testing.assert_close(found, vectors[places], rtol=1e-5, atol=1e-5)
    adapters = [module for module in training.model.modules() if isinstance(module, LowRank)]
    assert (mode == "low_rank") == bool(adapters) and not any(module.up.any() for module in adapters)


def test_passes_share_all_but_their_first_convolution(small):
    training = training_on(small.job(strategy="channelwise_concat"), small.split())
    first, second = training.model.passes
    apart = {name for name, of in first.named_parameters() if second.get_parameter(name) is not of}
    assert apart == {"patch_embed.proj.conv.weight", "patch_embed.proj.conv.bias"}
    optimizer = optimizer_of(training.model.passes, training.model.head, training.settings)
    grouped = [of for group in optimizer.param_groups for of in group["params"]]
    assert len(grouped) == len({id(of) for of in grouped}) == len(training.parameters)


def test_rates_grow_with_depth_and_rise_and_fall_over_the_steps(small):
    training = training_on(small.job(layer_decay=0.5, learning_rate=1.0), small.split())
    optimizer = optimizer_of(training.model.passes, training.model.head, training.settings)
    of_parameter = {of: group for group in optimizer.param_groups for of in group["params"]}
    rates = {name: of_parameter[of]["full_rate"] for name, of in training.parameters.items()}
    inside = [rates[f"passes.0.{name}"] for name in ("pos_embed", "blocks.0.attn.qkv.weight", "norm.weight")]
    assert inside == [0.5**3, 0.5**2, 1.0] and rates["head.layers.0.weight"] == Finetune().head_learning_rate
    assert of_parameter[training.parameters["passes.0.norm.weight"]]["weight_decay"] == 0
    factors = [factor(step, 100, 0.1) for step in range(100)]
    assert factors[0] == pytest.approx(0.1) and factors[9] == 1.0 and max(factors) == 1.0
    assert all(np.diff(factors[10:]) < 0) and factors[-1] < 1e-3


# What a step does


def gradients(training: Training, block: int, threads: int, dropped: bool = True) -> list[torch.Tensor]:
    """The gradient of a batch of 32 that goes through in blocks."""
    chance = torch.Generator().manual_seed(1)
    images = torch.rand(32, 2, 48, 48, generator=chance)
    targets = torch.eye(3)[torch.randint(3, (32,), generator=chance)]
    factors = (torch.rand(32, 6, generator=chance) > 0.3).float() / 0.7
    masked = torch.zeros(32, 3, dtype=torch.bool)
    batch = [
        Block(*(of[at : at + block] for of in (images, targets, masked)), factors[at : at + block])
        if dropped
        else Block(*(of[at : at + block] for of in (images, targets, masked)), None)
        for at in range(0, 32, block)
    ]
    parameters = list(training.parameters.values())
    accumulate(training.model, parameters, batch, 32, training.task, Machine(CPU, block, threads))
    return [parameter.grad.clone() for parameter in parameters]


def with_a_random_head(training: Training) -> Training:
    torch.nn.init.normal_(training.model.head.layers[0].weight, generator=torch.Generator().manual_seed(0))
    return training


@pytest.mark.parametrize("backbone", [VIT, CONVOLUTIONS], ids=["vit", "convolutions"])
def test_blocks_add_up_to_the_gradient_of_the_whole_batch(small, backbone):
    training = with_a_random_head(training_on(small.job(backbone), small.split()))
    dropped = backbone is VIT
    whole = gradients(training, 32, 1, dropped)
    for block in (8, 16):
        for ours, wanted in zip(gradients(training, block, 1, dropped), whole, strict=True):
            assert (ours - wanted).abs().max() <= 1e-5 * max(1.0, float(wanted.abs().max()))
    assert max(float(of.abs().max()) for of in whole) > 1e-3


def test_threads_change_no_bit_of_a_gradient(small):
    training = with_a_random_head(training_on(small.job(), small.split()))
    for one, three in zip(gradients(training, 8, 1), gradients(training, 8, 3), strict=True):
        assert torch.equal(one, three)


def test_dropped_branches_are_each_image_s_own(small):
    training = with_a_random_head(training_on(small.job(), small.split()))
    images = torch.rand(2, 2, 48, 48)
    factors = torch.ones(2, len(training.model.rates))
    factors[1] = 0
    with torch.inference_mode():
        whole, mixed = training.model(images), training.model(images, factors)
    assert torch.equal(whole[0], mixed[0]) and not torch.equal(whole[1], mixed[1])
    assert training.model.rates[0] == 0 and training.model.rates[-1] == pytest.approx(0.2)


def test_crops_follow_their_generator_and_keep_pixels_that_are_only_turned():
    image = torch.rand(2, 40, 56)
    still = Augment(crop_share=1.0, gain=0.0, offset=0.0)
    made = crop(image, 40, still, sample_rng(0, 1, 2))
    again, other = (crop(image, 40, Augment(), sample_rng(0, 1, place)) for place in (2, 3))
    assert made.shape == again.shape == (2, 40, 40)
    assert torch.equal(again, crop(image, 40, Augment(), sample_rng(0, 1, 2))) and not torch.equal(
        again, other
    )
    columns = [image[:, :, left : left + 40].flatten(1).sort().values for left in range(17)]
    assert any(torch.equal(made.flatten(1).sort().values, of) for of in columns)
    seen = {
        crop(torch.arange(16.0).reshape(1, 4, 4), 4, still, sample_rng(0, 0, n)).numpy().tobytes()
        for n in range(99)
    }
    assert len(seen) == 8


def test_an_epoch_shows_every_field_and_only_whole_batches():
    assert [steps_of(fields, 16, 3) for fields in (1, 48, 49)] == [3, 3, 4]
    rows = order(0, 1, 10, 32)
    assert len(rows) == 32 and sorted(rows[:10]) == sorted(rows[10:20]) == list(range(10))
    assert not np.array_equal(rows, order(0, 2, 10, 32)) and not np.array_equal(rows, order(1, 1, 10, 32))


# Runs


@pytest.fixture(scope="module")
def undisturbed(small, tmp_path_factory) -> list[bytes]:
    return run_all(small.job(), small.split(), tmp_path_factory.mktemp("undisturbed"), fractions=FRACTIONS)[0]


def test_a_trained_network_tells_proteins_that_it_has_not_seen(small, tmp_path):
    run_all(small.job(epochs=8, patience=8), small.split(), tmp_path)
    assert accuracy(tmp_path / "predictions.parquet") > 0.6  # by chance a third


@pytest.mark.parametrize("changed", [{}, {"threads": 3}, {"memory_mb": 1}], ids=str)
def test_threads_and_memory_change_no_byte(small, undisturbed, tmp_path, changed, monkeypatch):
    if "memory_mb" in changed:
        monkeypatch.setattr(room.Fields, "keep", lambda *_: None)
    assert run_all(small.job(**changed), small.split(), tmp_path, fractions=FRACTIONS)[0] == undisturbed


def test_fields_that_do_not_fit_into_memory_are_read_again_and_that_is_said(small, caplog):
    job = small.job()
    fields = room.Fields(job.fields, job.root, job.network)
    fields.keep(range(72), 1, 1)
    assert "72 fields need 2 MB, finetune.memory_mb is 1" in caplog.text and not fields._kept
    read = fields[3]
    fields.keep(range(72), 3, 2)
    assert torch.equal(fields._kept[3], read)


def test_adding_a_seed_trains_one_run_per_fraction_and_removing_one_none(small, tmp_path):
    job = small.job(epochs=1)
    first, new = run_all(job, small.split([0]), tmp_path, fractions=FRACTIONS)
    assert new == 2
    assert run_all(job, small.split([0, 1]), tmp_path, fractions=FRACTIONS)[1] == 2
    assert run_all(job, small.split([0]), tmp_path, fractions=FRACTIONS) == (first, 0)
    assert run_all(small.job(epochs=1, weight_decay=0.1), small.split([0]), tmp_path)[1] == 1


@pytest.mark.parametrize("done", [1, 3])
def test_a_run_that_is_cut_off_goes_on_to_the_same_bytes(
    small, undisturbed, tmp_path, monkeypatch, done, caplog
):
    save = checkpoints.save

    def save_and_die(path, identity, state):
        save(path, identity, state)
        if state["epoch"] == done:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train.checkpoints, "save", save_and_die)
        run_all(small.job(), small.split(), tmp_path, fractions=FRACTIONS)
    assert (tmp_path / ".checkpoint.safetensors").exists()
    caplog.set_level("INFO")
    assert run_all(small.job(), small.split(), tmp_path, fractions=FRACTIONS)[0] == undisturbed
    assert f"going on after epoch {done}" in caplog.text


def test_the_checkpoint_of_another_run_or_a_damaged_one_is_left_aside(small, undisturbed, tmp_path, caplog):
    path = tmp_path / ".checkpoint.safetensors"
    checkpoints.save(path, "another", {"epoch": 2})
    assert run_all(small.job(), small.split(), tmp_path, fractions=FRACTIONS)[0] == undisturbed
    shutil.rmtree(tmp_path / ".kept")
    path.write_bytes(b"\x08\0\0\0\0\0\0\0 and nothing more")
    assert run_all(small.job(), small.split(), tmp_path, fractions=FRACTIONS)[0] == undisturbed
    assert "of another run" in caplog.text and "not readable" in caplog.text


def test_a_checkpoint_gives_back_what_it_was_given(tmp_path):
    state = {"a": [1, None, "x", {2: torch.arange(3)}], "b": torch.ones(2, 2).T, "c": {"nan": float("nan")}}
    checkpoints.save(tmp_path / "one", "me", state)
    found = checkpoints.restore(tmp_path / "one", "me")
    assert found["a"][:3] == [1, None, "x"] and torch.equal(found["a"][3][2], torch.arange(3))
    assert torch.equal(found["b"], state["b"]) and np.isnan(found["c"]["nan"])
    assert checkpoints.restore(tmp_path / "one", "other") is None


def test_several_labels_have_thresholds_and_fit_the_schema(small, tmp_path):
    run_all(small.job(epochs=1), small.split(several=True), tmp_path, policy="multi")
    rows = read_table("predictions", tmp_path / "predictions.parquet")
    assert (rows["thresholds"].str.len() == 3).all() and rows["predicted"].str.len().between(1, 3).all()


@pytest.mark.parametrize("policy", ["single", "multi"])
@pytest.mark.parametrize("head", ["logistic", "linear", "mlp"])
def test_epoch_0_is_the_frozen_probe_of_the_same_head(small, tmp_path, head, policy):
    job, split = small.job(epochs=1, head=head, min_steps=1), small.split(several=policy == "multi")
    run_all(job, split, tmp_path, policy)
    epoch_0, tuned = (
        read_table("predictions", tmp_path / f"{name}.parquet") for name in ("epoch_0", "predictions")
    )
    runs = plan({("protein", policy): split}, [1.0], [], Variant(job.strategy))
    kept = KeptRuns("predictions", tmp_path / "probe", [])
    rows = probe(job.names, job.vectors, runs, kept, job.proteins, head, PROBE)
    frozen = pa.concat_tables(rows).to_pandas()
    assert frozen["fov_id"].tolist() == epoch_0["fov_id"].tolist()
    assert frozen["predicted"].map(tuple).tolist() == epoch_0["predicted"].map(tuple).tolist()
    apart = np.abs(np.stack(frozen["probabilities"]) - np.stack(epoch_0["probabilities"]))
    assert apart.max() < 1e-4
    assert len(frozen["predicted"].map(tuple).unique()) > 1 and len(tuned) == len(epoch_0)


def test_patience_counts_from_the_end_of_the_warm_up(small, tmp_path, monkeypatch):
    monkeypatch.setattr(Best, "look", lambda self, *_: (0.5, 0.0))  # no epoch is better than the first
    monkeypatch.setattr(Best, "restore", lambda self: None)
    training = training_on(small.job(epochs=20, warmup_share=0.2, patience=3, min_steps=1), small.split())
    monkeypatch.setattr(training, "_epoch", lambda: training.losses.append(0.0))
    training.best.logits = torch.zeros(len(training.task.data.rows["validation"]), 3)
    training.run(tmp_path / "checkpoint", "one")
    assert training.epoch == 4 + 3


def test_the_test_part_has_no_say_in_the_training(small, tmp_path):
    split = small.split()
    test, shifted = split["part"] == "test", split.copy()
    shifted.loc[test, "labels"] = split.loc[test, "labels"].map(
        lambda of: [CLASSES[CLASSES.index(of[0]) - 1]]
    )
    found = []
    for name, of_one in (("true", split), ("shifted", shifted)):
        run_all(small.job(), of_one, tmp_path / name)
        found.append(read_table("predictions", tmp_path / name / "predictions.parquet"))
    assert not found[0]["truth"].equals(found[1]["truth"])
    assert np.array_equal(*(np.stack(rows["probabilities"]) for rows in found))


# The script, told to end or killed


def as_the_rule(small: Path, folder: Path) -> None:
    """Run the script on the tables below `small`, as the rule would."""
    output = folder / "predictions.parquet"
    job = SimpleNamespace(
        rule="finetune",
        input=Named(
            fovs=str(small / "fovs.parquet"),
            proteins=str(small / "proteins.parquet"),
            vectors=str(small / f"{VIT['architecture']}-map_natural.parquet"),
            splits=[str(small / "protein-single.parquet")],
        ),
        output=Named(predictions=str(output), epoch_0=str(output.with_name("epoch_0.parquet"))),
        params=Named(
            backbone=VIT,
            finetune=FAST | {"epochs": 20, "patience": 20},
            chosen={"fractions": FRACTIONS, "shots": [], "seeds": [0]},
            head="logistic",
            probe=PROBE,
            how={
                "raw": str(small),
                "kept": [str(output.with_name(name)) for name in (".kept", ".kept_0")],
                "checkpoint": str(output.with_name(".checkpoint.safetensors")),
            },
            code={},
        ),
        wildcards=Named(variant="map_natural"),
        threads=1,
        log=[str(folder / "log")],
    )
    runpy.run_path(str(SCRIPTS / "finetune.py"), {"snakemake": job})


CHILD = """
import sys
from pathlib import Path
from test_finetune import as_the_rule
as_the_rule(*map(Path, sys.argv[1:]))
"""


@pytest.mark.slow
def test_kills_at_random_moments_change_no_value(small, tmp_path):
    small.write()
    as_the_rule(small.root, tmp_path / "undisturbed")
    chance, done, log = random.Random(3), [], tmp_path / "killed/log"
    for told in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, None):
        log.unlink(missing_ok=True)
        words = [sys.executable, "-c", CHILD, str(small.root), str(tmp_path / "killed")]
        child = subprocess.Popen(
            words, cwd=Path(__file__).parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        while child.poll() is None and not (log.exists() and "to train" in log.read_text()):
            time.sleep(0.02)
        if told:
            time.sleep(chance.uniform(0, 0.6))
            child.send_signal(told)
        started = time.monotonic()
        child.communicate(timeout=None if told is None else 10)
        done.append((child.returncode, time.monotonic() - started))
    assert [status for status, _ in done] == [143, -9, 143, -9, 0]
    names = {path.name for path in (tmp_path / "killed").iterdir()}
    tables = {"predictions.parquet", "epoch_0.parquet"}
    assert names == {*tables, *(f"{name}.record.json" for name in tables), ".kept", ".kept_0", "log"}
    for table in tables:
        ours, wanted = (pq.read_table(tmp_path / name / table) for name in ("killed", "undisturbed"))
        # their stamps name their folders
        assert ours.replace_schema_metadata().equals(wanted.replace_schema_metadata())


# Refusals


@pytest.mark.parametrize(
    ("backbone", "changes", "message"),
    [
        (VIT, {"px": 80}, "finetune.px: 80 is more than the smallest field's 64 px"),
        (VIT, {"px": 40}, "finetune.px: 40 is no multiple of tiny ViT's 16 px"),
        (
            VIT,
            {"mode": "last_n_blocks", "n_blocks": 4},
            "n_blocks: 4 is more than the 3 blocks of VisionTrans",
        ),
        (CONVOLUTIONS, {"mode": "low_rank"}, "low_rank: MobileNetV3 has no attention with qkv and proj"),
        (DINOV3, {"mode": "low_rank"}, "low_rank: Eva adds biases of its own"),
    ],
)
def test_settings_that_do_not_fit_a_network_are_refused_in_one_line(
    small, tmp_path, backbone, changes, message
):
    with pytest.raises(InputError, match=message) as caught:
        run_all(small.job(backbone, **changes), small.split(), tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"finetune": {"backbones": ["handmade"]}},
            "finetune.backbones: handmade is no network; leave it out",
        ),
        ({"finetune": {"fractions": [0.3]}}, r"finetune.fractions: 0.3 is not one of the study's \[0.01, "),
        ({"finetune": {"seeds": [7]}}, "finetune.seeds: 7 is not one of the study's"),
        ({"finetune": {}, "splits": None}, "finetune: there are no splits to train on"),
        (
            {"finetune": {"mode": "all"}},
            "finetune.mode: Input should be 'full', 'last_n_blocks' or 'low_rank'",
        ),
        ({"finetune": {"batch_size": 12}}, "finetune.batch_size: Input should be a multiple of 8"),
    ],
)
def test_a_study_that_fine_tunes_what_it_has_not_is_refused_in_one_line(changes, message):
    registry = load_backbones(SCRIPTS.parent / "config/backbones.yaml")
    values = {"study": "s", "simulation": {}, "embedding": {"backbones": ["dino_demo", "handmade"]}} | changes
    with pytest.raises(InputError, match=message) as caught:
        load_study(values, registry)
    assert "\n" not in str(caught.value)


def test_vectors_of_other_fields_are_refused(small, tmp_path):
    job = small.job()
    with pytest.raises(InputError, match=r"embedding: not the fields of fovs\.parquet"):
        run_all(replace(job, fields=job.fields[::-1]), small.split(), tmp_path)
