"""The workflow as a plan: its file, its steps, the tools behind them and how their parameters connect."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from protloc.audit.crate.files import Files
from protloc.audit.crate.graph import Graph, Ref, encoded, local_id, property_value
from protloc.audit.crate.jobs import Job, Scalar, leaves
from protloc.circumstances import LOCK
from protloc.errors import InputError
from protloc.hashing import sha256_value
from protloc.modules import SCRIPTS

PROJECT = SCRIPTS.parent
SOURCES = (
    "workflow",
    "scripts",
    "config",
    "envs",
    "README.md",
    "LICENSE",
    "CITATION.cff",
    "pyproject.toml",
    "uv.lock",
)
LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
PROFILE = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
QUESTION = "How well do self-supervised backbones transfer to protein localization?"
KINDS = {bool: "Boolean", int: "Integer", float: "Float", str: "Text"}


@dataclass
class Plan:
    """The workflow of a study; `settings` are the values of its configuration by dotted name."""

    graph: Graph
    files: Files
    configuration: dict[str, Any]
    workflow: Ref = field(init=False)
    settings: dict[str, Scalar] = field(init=False)

    def __post_init__(self) -> None:
        self.settings = dict(leaves(self.configuration)) if self.configuration else {}
        self.workflow = self._main_file()

    def tool(self, job: Job) -> Ref:
        """What a run executed: a rule's script with the modules, libraries and commit of that run."""
        facts = job.facts
        code = sha256_value([facts["code"], facts["versions"], job.state])[:16]
        scripts = (item for item in facts["code"].items() if "/" not in item[0])
        script, digest = next(scripts, ("", ""))
        tool = self.graph.add(
            local_id("tool", facts["rule"], code),
            "SoftwareApplication",
            name=facts["rule"],
            description=f"The rule {facts['rule']}" + (f", which runs {script}" if script else ""),
            softwareVersion=job.state or f"sha256:{sha256_value(facts['code'])}",
        )
        self.graph.link(self.workflow, "hasPart", tool)
        for name, version in facts["versions"].items():
            self.graph.link(tool, "softwareRequirements", self._library(name, version))
        if script:
            entity = self._script(script, digest)
            self.graph.link(tool, "softwareRequirements", entity)
            self.graph.link(tool, "mainEntity", entity)
        self._fill_step(job, tool)
        return tool

    def step(self, job: Job) -> Ref:
        """The step of the workflow that a run belongs to: its rule."""
        rule = job.facts["rule"]
        step = self.graph.add(f"Snakefile{local_id('step', rule)}", "HowToStep", name=rule)
        self.graph.link(self.workflow, "step", step)
        return step

    def parameter(self, owner: Ref, role: str, name: str, kind: str, value: Ref) -> Ref:
        """What a tool or the workflow takes (`input`, `setting`) or makes (`output`), such as `value`."""
        at = local_id("parameter", owner["@id"].removeprefix("#"), role, name)
        parameter = self.graph.add(at, "FormalParameter", name=name, additionalType=kind)
        self.graph.link(owner, "output" if role == "output" else "input", parameter)
        self.graph.link(value, "exampleOfWork", parameter)
        return parameter

    def connect(self, receiver: Ref, source: Ref, target: Ref) -> None:
        """Say that what `source` stands for is what `target` takes; `receiver` is a step or the workflow."""
        at = local_id("connection", sha256_value([source["@id"], target["@id"]])[:16])
        connection = self.graph.add(at, "ParameterConnection")
        self.graph.link(connection, "sourceParameter", source)
        self.graph.link(connection, "targetParameter", target)
        self.graph.link(receiver, "connection", connection)

    def setting(self, name: str, value: Scalar) -> tuple[Ref, Ref]:
        """A setting of the configuration as a value, and as what the workflow takes."""
        held = property_value(self.graph, name, value)
        return held, self.parameter(self.workflow, "setting", name, KINDS[type(value)], held)

    def settings_behind(self, job: Job) -> dict[str, str]:
        """For each parameter of a run that has name and value of a setting, the setting's name."""
        whole = next((f"{name}." for name, held in job.settings.items() if held == self.configuration), "")
        pairs = ((name, name.removeprefix(whole), value) for name, value in leaves(job.settings))
        return {name: inner for name, inner, value in pairs if same(self.settings.get(inner), value)}

    def _main_file(self) -> Ref:
        main = self.files.source(PROJECT / "Snakefile", PROJECT)
        if main is None:
            raise InputError(f"{PROJECT}: has no Snakefile, and a crate holds it; run protloc of a clone")
        for name in SOURCES:
            self.files.source(PROJECT / name, PROJECT)
        kinds = ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]
        self.graph.retype(main, kinds)
        self.graph.add(
            main["@id"],
            kinds,
            name="protloc",
            description=QUESTION,
            programmingLanguage=self.graph.add(LANGUAGE, "ComputerLanguage", name="Snakemake"),
            conformsTo=self.graph.add(PROFILE, "CreativeWork", name="ComputationalWorkflow profile"),
            license={"@id": "LICENSE"},
        )
        return main

    def _fill_step(self, job: Job, tool: Ref) -> None:
        step = self.step(job)
        self.graph.link(step, "workExample", tool)
        lock = job.run.get("lock")
        if isinstance(lock, str):
            file = self.files.source(LOCK, PROJECT, lock) or self.files.absent(LOCK.name, lock)
            self.graph.link(step, "buildInstructions", file)
            self.graph.link(self.workflow, "buildInstructions", file)

    def _script(self, name: str, digest: str) -> Ref:
        """The script with this content: the file in the crate, or only its name if that has changed since."""
        path = SCRIPTS / name
        here = self.files.source(path, PROJECT, digest) if path.is_file() else None
        ref = here or {"@id": local_id("script", name, digest[:16])}
        kinds = ["File", "SoftwareSourceCode"] if here else ["SoftwareSourceCode"]
        self.graph.add(ref["@id"], kinds, name=name, version=f"sha256:{digest}")
        self.graph.retype(ref, kinds)
        return ref

    def _library(self, name: str, version: str) -> Ref:
        kind = "generic" if name == "python" else "pypi"
        at = f"pkg:{kind}/{encoded(name)}@{encoded(version)}"  # a package URL
        return self.graph.add(at, "SoftwareApplication", name=name, version=version)


def same(one: Scalar | None, other: Scalar) -> bool:
    """Whether two settings are equal, and of one kind."""
    return type(one) is type(other) and one == other
