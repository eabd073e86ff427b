"""What a study will take, before it is run."""

from __future__ import annotations

import json

import pytest
import torch
from protloc.cli import main
from protloc.config.backbones import Network
from protloc.config.load import load_backbones
from protloc.config.settings import Study
from protloc.embed.encoder import Encoder
from protloc.embed.speed import work_per_image
from protloc.errors import InputError
from protloc.estimate.arithmetic import gflop, parameters
from protloc.estimate.forecast import forecast
from protloc.estimate.rates import CORE, GPU, measured, read_rates
from protloc.estimate.size import runs, size_of
from protloc.estimate.work import work_of
from protloc.modules import SCRIPTS
from protloc.opencell import CLASSES
from protloc.variants import Variant

REGISTRY = load_backbones(SCRIPTS.parent / "config/backbones.yaml")
SIMULATED = {
    "study": "s",
    "simulation": {"proteins_per_class": 2, "fields_per_protein": 3, "field_size_px": 256},
}
FIELDS = 2 * len(CLASSES) * 3


def study(**groups: object) -> Study:
    return Study.model_validate(SIMULATED | {"embedding": {"backbones": ["vit_untrained"]}} | groups)


def works(one: Study) -> dict:
    return {work.step: work for work in work_of(one, REGISTRY, size_of(one))}


@pytest.mark.parametrize(("name", "side"), [("imagenet_dino_vitb16", 224), ("hpa_fov_dino", 376)])
def test_the_arithmetic_of_a_transformer_is_what_its_layers_add_up_to(name, side):
    network = REGISTRY[name]
    patch, width, depth = network.size_multiple, 768, 12
    tokens = (side // patch) ** 2 + 1
    of_block = 2 * tokens * 12 * width**2 + 4 * tokens**2 * width
    first = 2 * (tokens - 1) * 3 * patch**2 * width  # two channels and the constant one
    assert gflop(network, side) == pytest.approx((depth * of_block + first) / 1e9, rel=1e-6)


def test_weights_and_width_are_those_of_the_model():
    count, width = parameters(REGISTRY["imagenet_dino_vitb16"])
    assert width == 768
    assert 85e6 < count < 87e6


@pytest.mark.parametrize("strategies", [["replicate_fill"], ["map_natural", "channelwise_concat", "adapt"]])
def test_embedding_is_estimated_as_its_job_will_count_it(strategies):
    one = study(embedding={"backbones": ["vit_untrained"], "strategies": strategies})
    variants = [Variant(name) for name in strategies]
    encoder = Encoder(REGISTRY["vit_untrained"], variants, torch.device("cpu"))
    counts = torch.zeros(2, 2, 256, 256, dtype=torch.uint16)
    counted = work_per_image(encoder, counts, size_of(one).pixel_size_um) / 1e9
    assert works(one)["embed fields"].gflop == pytest.approx(FIELDS * counted, rel=1e-6)


def test_fine_tuning_counts_every_epoch_and_no_part_twice():
    tuning = {"fractions": [1.0], "seeds": [0], "units": ["protein"], "epochs": 4, "min_steps": 1}
    network = REGISTRY["vit_untrained"]
    assert isinstance(network, Network)
    of_field = gflop(network, 128)
    training, validation, test = 0.6 * FIELDS, 0.15 * FIELDS, 0.25 * FIELDS
    expected = 4 * (3 * training + validation) * of_field + (test + FIELDS) * of_field
    assert works(study(finetune=tuning))["fine-tune"].gflop == pytest.approx(expected)
    more = tuning | {"seeds": [0, 1], "fractions": [0.5, 1.0]}
    assert len(runs(study(finetune=more), study(finetune=more).finetune)) == 4
    few = tuning | {"min_steps": 100, "batch_size": 32}
    longer = 4 * (3 * 100 * 32 + validation) * of_field + (test + FIELDS) * of_field
    assert works(study(finetune=few))["fine-tune"].gflop == pytest.approx(longer)


def test_steps_that_a_study_lacks_are_not_counted():
    assert works(study(splits=None)).keys() == {"embed fields"}
    assert {"find cells", "embed cells", "neighbours of cells"} <= works(study(cells={})).keys()


def test_each_run_of_each_route_is_counted_once():
    tuning = {"strategies": ["map_natural"], "fractions": [1.0], "seeds": [0]}
    strategies = ["map_natural", "adapt"]
    backbones = ["vit_untrained", "imagenet_dino_vits16", "handmade"]
    one = study(embedding={"backbones": backbones, "strategies": strategies}, finetune=tuning)
    of_route = 2 * 6 * 3  # units, fractions, seeds; one policy
    heads, tuned = (2 * 2 + 1) * of_route, 2 * 1 * 2
    assert works(one)["probes"].units == heads
    assert works(one)["statistics"].units == heads + tuned


def test_pretraining_counts_also_where_its_network_is_not_embedded_with():
    pretraining = {"backbone": "own_dino", "epochs": 2, "large_px": 32, "small_px": 16, "small_views": 1}
    pretraining |= {"repeats": 3, "batch_size": 10}
    large, small = (gflop(REGISTRY["own_dino"], side) for side in (32, 16))
    steps = 2 * (3 * FIELDS // 10)
    expected = steps * 10 * (3 * (2 * large + small) + 2 * large)
    assert works(study(pretraining=pretraining))["pretrain"].gflop == pytest.approx(expected)


def record(path, **run: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"run": {"how": {"threads": 2}} | run}))


def test_rates_are_those_that_were_measured_here(tmp_path):
    record(tmp_path / "a.parquet.record.json", gflop_per_image=2.0, images_per_second=30.0)
    gpu = {"gpu": {"name": "H100"}, "images_per_second": 100.0}
    for number, work in enumerate((10.0, 20.0, 90.0)):
        record(tmp_path / f"deep/{number}.parquet.record.json", gflop_per_image=work, **gpu)
    record(tmp_path / "b.parquet.record.json", seconds=3)
    found = measured(tmp_path)
    assert {name: rate.value for name, rate in found.items()} == {CORE: 30.0, GPU: 2000.0}
    assert "H100" in found[GPU].source


def test_results_that_say_nothing_of_speed_are_refused(tmp_path):
    with pytest.raises(InputError, match="no record of an embedding says how fast it was"):
        measured(tmp_path)


def test_every_shipped_rate_says_where_it_is_from():
    rates = read_rates()
    assert all(rate.source.startswith(("measured: ", "assumed, not measured: ")) for rate in rates.values())


def test_the_command_prints_steps_transfer_disk_and_rates(capsys):
    paper = str(SCRIPTS.parent / "config/paper.yaml")
    assert main(["estimate", "--configfile", paper]) == 0
    said = capsys.readouterr().out
    assert "6,301 fields of view" in said
    for word in ("embed cells", "fine-tune", "Transfer: images 9.1 GB", "Disk: ", "assumed, not measured"):
        assert word in said
    assert main(["estimate", "--configfile", paper, "--fields", "100"]) == 0
    assert "100 fields of view" in capsys.readouterr().out


def test_a_run_prints_the_estimate_or_why_there_is_none_and_starts():
    one = study()
    said = forecast(one, REGISTRY)
    assert said[0] == "All of the study, what is done already included:"
    assert any(line.startswith("  embed fields") for line in said)
    unknown = REGISTRY["vit_untrained"].model_copy(update={"architecture": "vit_of_nobody"})
    (line,) = forecast(one, {"vit_untrained": unknown})
    assert line.startswith("No estimate of GPU hours: ")
    assert "vit_of_nobody" in line
