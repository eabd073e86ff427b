"""The command `protloc`: what is useful beside the workflow."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from protloc.errors import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; 0 if it went well, 1 with one line on standard error where the input is at fault."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words[:1] == ["audit"]:  # its files and its questions have the same place
            from protloc.audit.command import audit

            return audit(words[1:])
        options = _parser().parse_args(words)
        return options.run(options) or 0
    except InputError as error:
        print(f"protloc: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="protloc", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="check a configuration file and print it with every default")
    check.add_argument("config", type=Path)
    check.set_defaults(run=_check)
    generate = commands.add_parser("generate", help="write what is derived: schemas, tables of the README")
    generate.set_defaults(run=_generate)
    realism = commands.add_parser("realism", help="put real fields of a mirror beside simulated ones")
    realism.add_argument("mirror", type=Path, help="folder with the bucket's keys")
    realism.add_argument("labels", type=Path, help="label table, CSV")
    realism.add_argument("output", type=Path, help="PNG to write")
    realism.set_defaults(run=_realism)
    probe = commands.add_parser(
        "probe-channels", help="ask a network in which of its slots it wants the nucleus and the protein"
    )
    probe.add_argument("backbone", help="a network of config/backbones.yaml")
    probe.add_argument("images", help="folder with the bucket's keys, or the name of a study below data/")
    probe.add_argument("--fields", type=int, default=60, help="how many to show it; more tell more (60)")
    probe.add_argument("--pixel-size-um", type=float, default=0.206349, help="of the images (0.206349)")
    probe.set_defaults(run=_probe_channels)
    commands.add_parser("audit", help="what made a result, from what, and whether it is still true")
    doctor = commands.add_parser("doctor", help="whether a study can run here and on a cluster")
    doctor.add_argument("--configfile", type=Path, help="the study; left out: the demo")
    doctor.add_argument("--profile", help="as for snakemake: short jobs try its partitions")
    doctor.add_argument("--wait", type=float, default=600, help="s that these may wait and take (600)")
    doctor.add_argument("--json", action="store_true", help="for programs")
    doctor.set_defaults(run=_doctor)
    estimate = commands.add_parser(
        "estimate", help="GPU hours, disk and transfer of a study, before it is run"
    )
    estimate.add_argument("--configfile", type=Path, help="the study; left out: the demo")
    estimate.add_argument("--fields", type=int, help="for so many fields instead of its own")
    estimate.add_argument("--rates", type=Path, help="results whose records say how fast this machine is")
    estimate.set_defaults(run=_estimate)
    stage = commands.add_parser("stage", help="fetch what a study needs from outside, before it is run")
    stage.add_argument("--configfile", type=Path, help="the study; left out: the demo")
    stage.add_argument("--mirror", type=Path, metavar="DIR", help="take files that were copied there")
    stage.add_argument("--parallel", type=int, default=8, help="files at a time (8)")
    stage.add_argument("--verify", action="store_true", help="fetch nothing: read and check what is there")
    stage.add_argument("--sources", type=Path, help="another table than config/sources.csv")
    stage.set_defaults(run=_stage)
    label = commands.add_parser("label", help="write a page on which a person labels cells of a study")
    label.add_argument("results", type=Path, help="folder of a study with cells, such as results/demo")
    label.add_argument("output", type=Path, help="HTML file to write")
    label.add_argument("--cells", type=int, default=200, help="how many to show (200)")
    label.add_argument("--seed", type=int, default=0, help="another one shows other cells (0)")
    label.add_argument("--csv", type=Path, help="labels given earlier: those cells are shown too")
    label.set_defaults(run=_label)
    used = commands.add_parser("efficiency", help="what the jobs of a study asked for and what they used")
    used.add_argument("results", type=Path, help="folder of a study, such as results/demo")
    used.set_defaults(run=_efficiency)
    release = commands.add_parser("release", help="end the jobs of a run that is over, and free its results")
    release.add_argument("results", type=Path, help="folder of a study, such as results/demo")
    release.set_defaults(run=_release)
    return parser


def _check(options: argparse.Namespace) -> None:
    from protloc.config.load import dump_study, load_backbones, load_study, read_yaml
    from protloc.modules import SCRIPTS

    registry = load_backbones(SCRIPTS.parent / "config/backbones.yaml")
    print(dump_study(load_study(read_yaml(options.config), registry)), end="")


def _generate(options: argparse.Namespace) -> None:
    from protloc.generated import write_generated

    for path in write_generated():
        print(f"wrote {path}")


def _realism(options: argparse.Namespace) -> None:
    from protloc.simulate.realism import realism_sheet

    realism_sheet(options.mirror, options.labels, options.output)


def _probe_channels(options: argparse.Namespace) -> None:
    from protloc.config.backbones import Network
    from protloc.config.load import load_backbones
    from protloc.models.sample import sample_fields
    from protloc.modules import SCRIPTS

    registry = load_backbones(SCRIPTS.parent / "config/backbones.yaml")
    network = registry.get(options.backbone)
    if not isinstance(network, Network):
        allowed = ", ".join(name for name, row in registry.items() if isinstance(row, Network))
        raise InputError(f"config/backbones.yaml: {options.backbone} is no network; allowed: {allowed}")
    fields = sample_fields(options.images, options.fields)

    from protloc.models.slot_orders import compare_orders, table

    orders, own = compare_orders(network, fields, options.pixel_size_um)
    proteins = len({field.gene for field in fields})
    print(f"{network.title}: {len(fields)} fields of {proteins} proteins, slots {', '.join(network.slots)}\n")
    print(table(orders, own))
    print(
        "\nsame protein: mean average precision of finding a protein's other fields."
        "\nagainst *: its difference to the order of config/backbones.yaml, and the standard error over "
        "proteins;\n  below about two of them nothing is shown."
        "\nnorm, dims: length of the vectors, and over how many directions they spread."
    )


def _doctor(options: argparse.Namespace) -> int:
    from protloc.doctor.command import doctor

    return doctor(options.configfile, options.profile, options.wait, options.json)


def _estimate(options: argparse.Namespace) -> None:
    from protloc.estimate.command import estimate

    estimate(options.configfile, options.fields, options.rates)


def _stage(options: argparse.Namespace) -> int:
    import logging

    from protloc.stage.command import stage

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    return stage(options.configfile, options.sources, options.mirror, options.parallel, options.verify)


def _label(options: argparse.Namespace) -> None:
    from protloc.config.load import load_backbones, load_study, read_yaml
    from protloc.labelling.page import write_label_page
    from protloc.modules import SCRIPTS

    registry = load_backbones(SCRIPTS.parent / "config/backbones.yaml")
    study = load_study(read_yaml(options.results / "config.yaml"), registry)
    chosen = {"count": options.cells, "seed": options.seed, "earlier": options.csv}
    print(write_label_page(options.results, study, options.output, **chosen))


def _efficiency(options: argparse.Namespace) -> None:
    from protloc.cluster.efficiency import efficiency

    print(efficiency(options.results))


def _release(options: argparse.Namespace) -> None:
    from protloc.cluster.earlier import release_run

    print(release_run(options.results))


if __name__ == "__main__":
    sys.exit(main())
