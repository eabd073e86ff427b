"""What happened: the run of the workflow, of each step and of the engine that started them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from protloc.audit.crate.files import ROOT, Files
from protloc.audit.crate.graph import Graph, Ref, local_id, property_value
from protloc.audit.crate.jobs import Job, leaves
from protloc.audit.crate.workflow import KINDS, Plan

DONE = "http://schema.org/CompletedActionStatus"
UNITS = "https://qudt.org/vocab/unit/"
USAGE = {
    "seconds": ("SEC", "Wall time of the step"),
    "peak_memory_mb": (
        "MebiBYTE",
        "Largest resident set size of the step's process, or of one that it started",
    ),
    "gpu.peak_memory_mb": ("MebiBYTE", "Most memory that torch held on the GPU"),
    "cores": (None, "Processor cores that the step could use"),
}
Made = dict[tuple[str, str], Ref]  # what a tool makes, by the name and digest of a result


def describe_runs(
    graph: Graph, files: Files, plan: Plan, jobs: list[Job], asked: set[str], finished: bool
) -> None:
    """Add the runs of all jobs, and of the workflow whose results are those `asked` for.

    Only a workflow that is known to have `finished` is said to be completed.
    """
    whole = graph.add(local_id("run", "workflow"), "CreateAction", instrument=plan.workflow, **_span(jobs))
    graph.add(whole["@id"], "CreateAction", actionStatus=DONE if finished else None)
    actions = [_describe(graph, files, plan, job) for job in jobs]
    made = {}
    for job, (action, tool) in zip(jobs, actions, strict=True):
        made |= _link_results(graph, files, plan, job, action, tool, asked, whole)
    for job, (action, tool) in zip(jobs, actions, strict=True):
        _link_inputs(graph, files, plan, job, action, tool, made, whole)
        _link_settings(graph, plan, job, action, tool)
    for name, value in plan.settings.items():
        graph.link(whole, "object", plan.setting(name, value)[0])
    graph.link(ROOT, "mentions", whole)  # alone: readers take the first run that the root mentions
    _add_engine(graph, plan, jobs, [action for action, _ in actions], whole)


def _describe(graph: Graph, files: Files, plan: Plan, job: Job) -> tuple[Ref, Ref]:
    """The run of a step, and the tool that it ran."""
    tool, at = plan.tool(job), local_id("run", job.key)
    action = graph.add(
        at,
        "CreateAction",
        name=job.title,
        description=f"A run of the rule {job.facts['rule']}",
        instrument=tool,
        startTime=job.moment("started"),
        endTime=job.moment("ended"),
        actionStatus=DONE,  # a step that fails leaves no record
    )
    graph.link(action, "resourceUsage", *_usage(graph, job))
    return action, tool


def _usage(graph: Graph, job: Job) -> Iterable[Ref]:
    run = dict(leaves(job.run))
    for name, (unit, meaning) in USAGE.items():
        value = run.get(name)
        if isinstance(value, int | float):
            quantity = graph.add(local_id("quantity", name), "DefinedTerm", name=name, description=meaning)
            measured: dict[str, Any] = {"name": name, "propertyID": quantity, "value": value}
            unit_code = {"@id": UNITS + unit} if unit else None
            yield graph.add(local_id("usage", job.key, name), "PropertyValue", unitCode=unit_code, **measured)


def _link_results(
    graph: Graph, files: Files, plan: Plan, job: Job, action: Ref, tool: Ref, asked: set[str], whole: Ref
) -> Made:
    made = {}
    for role, record in job.outputs():
        name, digest = record.output, record.content["sha256"]
        ref = files.named(name, digest)
        graph.link(action, "result", ref)
        made[name, digest] = plan.parameter(tool, "output", role, graph.kind(ref), ref)
        if name in asked:
            graph.link(whole, "result", ref)
            title = f"{job.facts['rule']}.{role}"
            final = plan.parameter(plan.workflow, "output", title, graph.kind(ref), ref)
            plan.connect(plan.workflow, made[name, digest], final)
    return made


def _link_inputs(
    graph: Graph, files: Files, plan: Plan, job: Job, action: Ref, tool: Ref, made: Made, whole: Ref
) -> None:
    names = {name for name, _ in made}
    for role, name, digest in job.inputs():
        ref = files.named(name, digest)
        graph.link(action, "object", ref)
        taken = plan.parameter(tool, "input", role, graph.kind(ref), ref)
        if (name, digest) in made:
            plan.connect(plan.step(job), made[name, digest], taken)
        elif name not in names:  # else it is an earlier state of a result, whose making is not recorded here
            graph.link(whole, "object", ref)
            title = f"{job.facts['rule']}.{role}"
            given = plan.parameter(plan.workflow, "input", title, graph.kind(ref), ref)
            plan.connect(plan.step(job), given, taken)


def _link_settings(graph: Graph, plan: Plan, job: Job, action: Ref, tool: Ref) -> None:
    behind = plan.settings_behind(job)
    for name, value in leaves(job.settings):
        held = property_value(graph, name, value)
        graph.link(action, "object", held)
        taken = plan.parameter(tool, "setting", name, KINDS[type(value)], held)
        if name in behind:
            plan.connect(plan.step(job), plan.setting(behind[name], value)[1], taken)


def _span(jobs: list[Job]) -> dict[str, str | None]:
    starts = [moment for job in jobs if (moment := job.moment("started"))]
    ends = [moment for job in jobs if (moment := job.moment("ended"))]
    return {
        "name": "The run of the workflow",
        "description": "From the start of the first to the end of the last step whose results are here",
        "startTime": min(starts, default=None),
        "endTime": max(ends, default=None),
    }


def _add_engine(graph: Graph, plan: Plan, jobs: list[Job], actions: list[Ref], whole: Ref) -> None:
    about = {"name": "Snakemake", "url": "https://snakemake.github.io"}  # the records have no version of it
    engine = graph.add("pkg:pypi/snakemake", "SoftwareApplication", **about)
    organized = graph.add(local_id("run", "engine"), "OrganizeAction", name="Snakemake", instrument=engine)
    graph.link(organized, "result", whole)
    for job, action in zip(jobs, actions, strict=True):
        name = f"Start of {job.title}"
        told = {"name": name, "instrument": plan.step(job), "object": action, "actionStatus": DONE}
        graph.link(organized, "object", graph.add(local_id("control", job.key), "ControlAction", **told))
