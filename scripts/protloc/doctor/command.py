"""`protloc doctor`: a study's needs against this machine and the partitions of a profile, as one table."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from protloc.config.backbones import Backbone
from protloc.config.load import load_backbones, load_study, read_yaml
from protloc.config.settings import Study
from protloc.doctor import probe, slurm
from protloc.doctor.checks import HERE, ON_A_NODE
from protloc.doctor.checks.network import host_of
from protloc.doctor.checks.weights import file_of, with_weights
from protloc.doctor.finding import Finding, Judgement, Need, Place, State, bad, unknown
from protloc.doctor.text import summary, table, wants_colour
from protloc.errors import InputError
from protloc.modules import SCRIPTS

ROOT = SCRIPTS.parent
WORK = Path(".snakemake/doctor")  # below the working directory, which nodes must share anyway
LOCAL = "here"
LATENCY_S = 30.0


def doctor(configfile: Path | None, profile: str | None, wait_s: float, as_json: bool) -> int:
    """Print the table; 0 if nothing in it is bad, 1 if something is. Raises InputError for a wrong study."""
    configfile = configfile or ROOT / "config/config.yaml"
    registry = load_backbones(ROOT / "config/backbones.yaml")
    study = load_study(read_yaml(configfile), registry)
    used = {name: registry[name] for name in study.embedding.backbones}
    findings = list(Visit(study, used, configfile, profile, wait_s).findings())
    if as_json:
        rows = [{"where": one.where, "check": one.check, **vars(one.judgement)} for one in findings]
        print(json.dumps(rows, indent=1))
    else:
        print(*table(findings, wants_colour()), sep="\n")
        print(summary(findings))
    return int(any(one.judgement.state == State.BAD for one in findings))


class Visit:
    """One run of the doctor: where a study is, what it asks for, what is seen."""

    def __init__(
        self, study: Study, used: Mapping[str, Backbone], configfile: Path, profile: str | None, wait_s: float
    ) -> None:
        self._study, self._used, self._configfile = study, used, configfile
        self._profile, self._wait_s = profile, wait_s
        self._token = uuid.uuid4().hex
        self._folder = (WORK / self._token).absolute()
        self._ask = {
            "token": self._token,
            "folders": [str(folder) for folder in _folders(study)],
            "files": _files(study, used),
            "host": host_of(study),
        }

    def findings(self) -> Iterator[Finding]:
        """The rows of the table: this machine, then a partition after the other."""
        with self._tokens() as fault:
            plan = None if self._profile is None or fault else self._start_plan()
            tell(f"looking at this machine{'' if plan is None else ', and at what the jobs will ask for'}")
            seen = probe.look(self._ask | {"mark": "here"})
            here = Place(LOCAL, seen, seen, self._study, self._used)
            for check in HERE:
                yield from check.findings(here)
            if self._profile is not None:
                yield from self._on_nodes(here, plan, fault)
        tell("")

    def _on_nodes(self, here: Place, plan: subprocess.Popen[str] | None, fault: str) -> Iterator[Finding]:
        if plan is None:
            said = f"none was sent: {fault}"
            yield Finding(LOCAL, "probes", unknown(said, "mend the lines on folders first"))
            return
        try:
            there = slurm.partitions()
        except InputError as error:
            plan.kill()
            said, _, fix = str(error).rpartition("; ")
            yield Finding(LOCAL, "slurm", bad(said, fix))
            return
        said = plan.communicate()[0]
        file = self._folder / "plan.json"
        if not file.is_file():
            fix = f"mend this, and the partitions are tried; snakemake -n --profile {self._profile} says more"
            yield Finding(LOCAL, "plan", bad(_last_error(said), fix))
            return
        yield from self._probed(here, json.loads(file.read_text()), there)

    def _probed(
        self, here: Place, requests: list[dict[str, Any]], there: dict[Any, Any]
    ) -> Iterator[Finding]:
        probes: dict[str, slurm.Probe] = {}
        places: dict[str, Place] = {}
        rows: dict[str, list[Finding]] = {}
        for number, request in enumerate(requests):
            need, name = self._need(request), request["partition"]
            title = _title(there[None].name if name is None and None in there else name, places)
            places[title] = replace(here, name=title, need=need)
            judgement = slurm.judge(name, need, there, f"the profile {self._profile}")
            rows[title] = [Finding(title, "partition", judgement)]
            if judgement.state == State.OK:
                one = slurm.Probe(request, self._ask, self._folder, str(number))
                if (refused := one.submit()) is None:
                    probes[title] = one
                else:
                    rows[title].append(Finding(title, "probe", refused))
        for title, outcome in slurm.answers(probes, self._wait_s, tell):
            if isinstance(outcome, Judgement):
                rows[title].append(Finding(title, "probe", outcome))
                continue
            answer, window = outcome
            self._read_back(answer, str(list(places).index(title)))
            place = replace(places[title], answer=answer, window=window)
            rows[title] += [finding for check in ON_A_NODE for finding in check.findings(place)]
        for title in places:
            yield from rows[title]

    def _need(self, request: dict[str, Any]) -> Need:
        """What is wanted: GPUs as many as the study says, however the profile spells it."""
        rules = tuple(request["rules"])
        wanted = {"pretrain": self._study.pretraining, "finetune": self._study.finetune}
        counts = [group.gpus for rule, group in wanted.items() if group is not None and rule in rules]
        return Need(request["cores"], request["mem_mb"], max([request["gpus"], *counts]), rules)

    def _read_back(self, answer: dict[str, Any], mark: str) -> None:
        """Add to each folder whether the file that the node renamed is seen here."""
        for name, seen in answer["folders"].items():
            path = Path(name) / f".protloc-doctor-{self._token}-{mark}"
            if seen["error"] is None:
                seen["seen_here"] = _appears(path, f"{self._token}-{mark}")

    def _start_plan(self) -> subprocess.Popen[str]:
        arguments = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(Path.cwd())]
        arguments += ["--configfile", str(self._configfile.absolute()), "--profile", str(self._profile)]
        words = [sys.executable, "-m", "protloc.doctor.plan", str(self._folder / "plan.json"), *arguments]
        paths = os.pathsep.join(filter(None, (str(SCRIPTS), os.environ.get("PYTHONPATH"))))
        return subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONPATH": paths},
        )

    @contextmanager
    def _tokens(self) -> Iterator[str]:
        """Leave a token in each folder, and take all away at the end; yields what went wrong."""
        fault = ""
        try:
            try:
                self._folder.mkdir(parents=True)
            except OSError as error:
                fault = f"{self._folder.parent}: {os.strerror(error.errno or 0)}"
            for folder in self._ask["folders"]:
                try:
                    (Path(folder) / f".protloc-doctor-{self._token}").write_text(self._token)
                except OSError:
                    continue  # the line on folders says so
            yield fault
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
            for folder in self._ask["folders"]:
                for leftover in Path(folder).glob(f".protloc-doctor-{self._token}*"):
                    leftover.unlink(missing_ok=True)


def _appears(path: Path, text: str) -> bool:
    """Whether a file with that text is seen, at the latest after what a network file system may take."""
    deadline = time.monotonic() + LATENCY_S
    while time.monotonic() < deadline:
        if path in list(path.parent.iterdir()) and path.read_text() == text:  # listed, it is looked for anew
            return True
        time.sleep(1)
    return False


def _title(name: str | None, taken: Mapping[str, Any]) -> str:
    """A name for the table that is not taken: a partition is asked once for each way of asking."""
    title = name or "(none)"
    alike = sum(one == title or one.startswith(f"{title}/") for one in taken)
    return f"{title}/{alike + 1}" if alike else title


def _folders(study: Study) -> list[Path]:
    """Where the study writes: the working directory, data and results, or what there is of these."""
    found = []
    for path in (Path(), Path("data") / study.study, Path("results") / study.study):
        path = path.absolute()
        found.append(next(one for one in (path, *path.parents) if one.is_dir()))
    return list(dict.fromkeys(found))


def _files(study: Study, used: Mapping[str, Backbone]) -> list[str]:
    """The files that must look the same on a node: weights that are here, and labels."""
    found = []
    for network in with_weights(used):
        try:
            found.append(str(file_of(network).absolute()))
        except InputError:
            continue  # the line on weights says so
    if study.acquisition is not None:
        found.append(str(Path(study.acquisition.labels).absolute()))
    return found


def _last_error(said: str) -> str:
    """The telling lines of what Snakemake printed, as one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [number for number, line in enumerate(lines) if "Error" in line or "Exception" in line]
    return " ".join(lines[telling[-1] :][:6]) if telling else " ".join(lines[-2:]) or "Snakemake said nothing"


def tell(what: str) -> None:
    """Show what is going on, in one line of a terminal; nothing elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)
