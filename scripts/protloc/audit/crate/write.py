"""Write a study as a crate: a folder that says by itself what it holds and how that came to be."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from protloc.atomic import partial_name, remove, sweep
from protloc.audit.crate.files import ROOT, Files
from protloc.audit.crate.graph import Graph
from protloc.audit.crate.jobs import Job, jobs_of
from protloc.audit.crate.runs import describe_runs
from protloc.audit.crate.workflow import QUESTION, Plan
from protloc.audit.study import MARK, Study
from protloc.errors import InputError
from protloc.progress import progress

METADATA = "ro-crate-metadata.json"
CRATE = "https://w3id.org/ro/crate/1.1"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    WORKFLOW_CRATE: "Workflow RO-Crate",
}
LICENCE = (
    "The workflow: see LICENSE. The results have no licence of their own here: those of the images, labels "
    "and weights that they were made from hold, see config/sources.csv."
)
REPORT = "report.html"


def write_crate(study: Study, directory: Path) -> None:
    """Fill `directory`, new or empty, with a Workflow Run RO-Crate (Provenance Run Crate 0.5) of a study.

    It holds copies of the results with their records, and of the workflow; it appears whole or not at all.
    Raises InputError if the directory is in use, or if a result or record is not what it was.
    """
    directory = directory.absolute()
    _check_free(directory, study)
    sweep(directory)
    partial = partial_name(directory)
    partial.mkdir(parents=True)
    try:
        graph = _fill(study, partial)
        text = json.dumps(graph.document(), indent=1, allow_nan=False) + "\n"
        (partial / METADATA).write_text(text, encoding="utf-8")
        partial.replace(directory)
    finally:
        remove(partial)


def _check_free(directory: Path, study: Study) -> None:
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise InputError(f"{directory}: is no folder; name a new one")
    if directory.is_dir() and any(directory.iterdir()):
        raise InputError(f"{directory}: is not empty; name a new folder for the crate")
    if directory.resolve().is_relative_to(study.root.resolve()):
        raise InputError(f"{directory}: lies among the results; name a folder outside {study.root}")


def _fill(study: Study, folder: Path) -> Graph:
    """The description of a study whose files are copied into a folder on the way."""
    jobs, graph = jobs_of(study), Graph()
    files = Files(folder, graph)
    configuration = study.records.get(f"{study.name}/{MARK}")
    settings = configuration.facts["params"].get("study") if configuration else None
    _add_root(graph, study)
    plan = Plan(graph, files, settings if isinstance(settings, dict) else {})
    graph.add(ROOT["@id"], "Dataset", mainEntity=plan.workflow)
    _copy_results(study, files)
    _describe_inputs(study, jobs, files)
    describe_runs(graph, files, plan, jobs, _asked(study, jobs), _finished(study))
    return graph


def _add_root(graph: Graph, study: Study) -> None:
    profiles = [
        graph.add(at, "CreativeWork", name=name, version=at.rpartition("/")[2])
        for at, name in PROFILES.items()
    ]
    graph.add(METADATA, "CreativeWork", about=ROOT, conformsTo=[{"@id": CRATE}, {"@id": WORKFLOW_CRATE}])
    graph.add(
        ROOT["@id"],
        "Dataset",
        name=f"Results of the protloc study {study.root.resolve().name}",
        description=f"{QUESTION} Results, and how they were made.",
        datePublished=datetime.now(UTC).date().isoformat(),
        license=LICENCE,
        conformsTo=profiles,
    )


def _copy_results(study: Study, files: Files) -> None:
    home, below = study.root.resolve(), PurePosixPath("results", study.root.resolve().name)
    for name, record in progress(study.records.items(), total=len(study.records), unit="results"):
        place = below / record.file.relative_to(study.root).as_posix()
        files.result(name, record.content["sha256"], record.file, home, place)


def _describe_inputs(study: Study, jobs: list[Job], files: Files) -> None:
    """Speak of what lies outside the results, which stays where it is: raw images can be terabytes."""
    addresses = _addresses()
    named = {(name, digest) for job in jobs for _, name, digest in job.inputs()}
    named |= {(record.output, record.content["sha256"]) for job in jobs for record in job.records}
    for name, digest in sorted(named):
        if not files.knows(name, digest):
            place = study.located(name)
            folder = place is not None and place.is_dir()
            files.absent(name, digest, folder=folder, address=addresses.get(digest))


def _addresses() -> dict[str, str]:
    from protloc.config.sources import SOURCES, read_sources

    try:
        return {row.sha256: row.url for row in read_sources(SOURCES).values() if row.sha256}
    except InputError:
        return {}


def _asked(study: Study, jobs: list[Job]) -> set[str]:
    """The results that the workflow is run for: those in its report, or those that no step took further."""
    report = study.records.get(f"{study.name}/{REPORT}")
    if report:
        return {report.output, *(fact["path"] for fact in report.facts["inputs"])} & study.records.keys()
    return study.records.keys() - {name for job in jobs for _, name, _ in job.inputs()}


def _finished(study: Study) -> bool:
    """Whether the report, which is made last, is of the results that are here."""
    report = study.records.get(f"{study.name}/{REPORT}")
    known = {(name, record.content["sha256"]) for name, record in study.records.items()}
    return report is not None and {(fact["path"], fact["sha256"]) for fact in report.facts["inputs"]} <= known
