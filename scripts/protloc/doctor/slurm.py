"""Slurm: what its partitions are, and probes that run in them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protloc.doctor import probe
from protloc.doctor.finding import Judgement, Need, bad, ok, unknown
from protloc.errors import InputError

POLL_S = 1.0
LATENCY_S = 60.0  # that a shared folder may take to show an answer
DOWN = re.compile(r"down|drain|fail|maint|inval|unk|power_down|reboot|not_resp|planned_down")
# Reasons of waiting that waiting does not mend.
NEVER = re.compile(r"Invalid|BadConstraint|Partition|Node.*Limit|TimeLimit|Down|NotAvail|Account|QOSNotAllow")
# What Slurm grants is told to the job alone; to its step goes only which job it is, as with the executor's.
SCRIPT = """\
#!/bin/sh
per_core=${{SLURM_MEM_PER_CPU:+$((SLURM_MEM_PER_CPU * SLURM_CPUS_ON_NODE))}}
export PROTLOC_GRANTED_MB="${{SLURM_MEM_PER_NODE:-$per_core}}"
unset $(env | sed -n 's/^\\(\\(SLURM\\|SRUN\\|SBATCH\\)_[A-Z0-9_]*\\)=.*/\\1/p' |
  grep -vxE 'SLURM_(JOB_ID|JOBID|CLUSTER_NAME|SUBMIT_DIR|SUBMIT_HOST)')
{step} {python} {probe} {ask} {answer}
"""


@dataclass(frozen=True)
class Partition:
    """A partition as sinfo shows it; sizes are those of its largest usable node."""

    name: str
    up: bool
    nodes: int
    usable: int
    cores: int
    mem_mb: int
    gpus: int


def partitions() -> dict[str, Partition]:
    """The cluster's partitions by name; the default one also as None. Raises InputError without a cluster."""
    words = ["sinfo", "--noheader", "--Node", "--format", "%P|%a|%T|%c|%m|%G"]
    try:
        said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
    except FileNotFoundError:
        raise InputError("sinfo: is not there; run on a machine from which jobs are submitted") from None
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split())
        raise InputError(f"sinfo: {said}; ask the site whether Slurm is up") from error
    except subprocess.TimeoutExpired:
        raise InputError("sinfo: no answer in 60 s; ask the site whether Slurm is up") from None
    found: dict[Any, Partition] = {}
    rows = [line.split("|") for line in said.splitlines()]
    for title in dict.fromkeys(row[0] for row in rows):
        nodes = [row for row in rows if row[0] == title]
        usable = [row for row in nodes if not DOWN.search(row[2].lower())]
        name = title.rstrip("*")
        found[name] = Partition(
            name=name,
            up=nodes[0][1] == "up",
            nodes=len(nodes),
            usable=len(usable),
            cores=max((int(row[3].rstrip("+")) for row in usable), default=0),
            mem_mb=max((int(row[4].rstrip("+")) for row in usable), default=0),
            gpus=max((_gpus(row[5]) for row in usable), default=0),
        )
        if title.endswith("*"):
            found[None] = found[name]
    return found


def _gpus(gres: str) -> int:
    return sum(int(one) for one in re.findall(r"gpu(?::[a-zA-Z][\w.]*)?:(\d+)", gres))


def judge(name: str | None, need: Need, there: dict[Any, Partition], profile: str) -> Judgement:
    """Whether a partition is there, is up, and has nodes into which the jobs fit."""
    names = ", ".join(sorted(one for one in there if one))
    found = there.get(name)
    if name == "":
        return bad(f"no partition fits {need.whose}", f"raise the limits (max_gpu, max_runtime) in {profile}")
    if name is None and found is None:
        return bad("the cluster has no default partition", f"name partitions in {profile}; there are {names}")
    if found is None:
        return bad(f"{name}: is not on this cluster", f"correct it in {profile}; there are {names}")
    if not found.up:
        return bad(f"{found.name}: takes no jobs", f"wait until it is opened, or name another in {profile}")
    if not found.usable:
        said = f"{found.name}: all {found.nodes} nodes are down or drained"
        return bad(said, "sinfo -R says why; ask the site")
    for asked, most, unit, key in (
        (need.gpus, found.gpus, "GPUs", "gpu"),
        (need.cores, found.cores, "cores", "set-threads"),
        (need.mem_mb, found.mem_mb, "MB", "mem_mb"),
    ):
        if asked > most:
            said = f"{found.name}: {asked} {unit} asked for by {need.whose}, no node has "
            able = ", ".join(sorted(one.name for one in {*there.values()} if one.gpus >= asked)) or "none"
            fix = f"correct {key} of these rules in {profile}"
            if unit == "GPUs":
                fix = f"correct {profile}, or gpus of the study; partitions with so many: {able}"
            return bad(f"{said}{f'more than {most}' if most else 'one'}", fix)
    return ok(f"{found.name}: {found.usable} of {found.nodes} nodes usable; {need.whose}")


class Probe:
    """A job that looks at a node: from its submission to its answer."""

    def __init__(self, request: dict[str, Any], ask: dict[str, Any], folder: Path, mark: str) -> None:
        self._answer, self._log = folder / f"{mark}.json", folder / f"{mark}.log"
        self._script = folder / f"{mark}.sh"
        asked = folder / f"{mark}.ask.json"
        asked.write_text(json.dumps(ask | {"mark": mark}))
        words = {"python": sys.executable, "probe": probe.__file__, "ask": asked, "answer": self._answer}
        quoted = {name: shlex.quote(str(value)) for name, value in words.items()}
        self._script.write_text(SCRIPT.format(step=request["step"], **quoted))
        self._submit = [str(self._log) if one == "LOG" else one for one in shlex.split(request["submit"])]
        self._job = ""
        self._earliest = self._ended = 0.0
        self._state, self._reason = "", "None"

    def submit(self) -> Judgement | None:
        """Give the job to Slurm; what is wrong if it does not take it."""
        self._earliest = time.time()
        done = subprocess.run([*self._submit, str(self._script)], capture_output=True, text=True)
        if done.returncode == 0:
            self._job = done.stdout.strip().split(";")[0]
            return None
        said = (done.stderr.strip().splitlines() or ["sbatch failed"])[-1]
        fix = f"correct the profile until this is taken: {shlex.join(self._submit)} --wrap true"
        return bad(said.rpartition("failed: ")[2], fix)

    def look(self) -> Judgement | tuple[dict[str, Any], tuple[float, float]] | None:
        """The answer and the time in which it was made, or why none will come; None while it may."""
        (list(self._answer.parent.iterdir()),)  # makes a network file system look anew
        if self._answer.is_file():
            return json.loads(self._answer.read_text()), (self._earliest, time.time())
        now = time.time()
        said = _said("squeue", "--noheader", "--job", self._job, "--format", "%T %r")
        self._state, _, self._reason = said.partition(" ")
        if self._state == "PENDING":
            self._earliest = now
            if NEVER.search(self._reason):
                self.cancel()
                said = f"the job would wait for ever: {self._reason}"
                return bad(said, "correct what is asked for in the profile")
        over = self._state not in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING")
        self._ended = (self._ended or now) if over else 0.0
        if self._ended and now - self._ended > (5.0 if self._log.is_file() else LATENCY_S):
            return self._dead()
        return None

    def _dead(self) -> Judgement:
        lines = self._log.read_text().strip().splitlines() if self._log.is_file() else []
        if not lines:
            return bad(
                f"job {self._job} left no answer and no log in this folder",
                "run from a folder that the nodes share and can write to",
            )
        fix = "the nodes must see the same Python and project: .venv on a shared folder"
        return bad(f"job {self._job} ended without an answer: {lines[-1]}", fix)

    def waiting(self) -> Judgement:
        """What to say of a job that has not been started in time; it is cancelled."""
        self.cancel()
        state = self._state.lower() or "not seen"
        return unknown(
            f"job {self._job} was not done in time ({state}, reason: {self._reason})",
            "ask again with a longer --wait, or when the cluster is less busy",
        )

    def cancel(self) -> None:
        """Take the job back."""
        if self._job:
            _said("scancel", self._job)


def _said(*words: str) -> str:
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=60).stdout.strip()
    except subprocess.TimeoutExpired:
        return ""


def answers(
    probes: dict[str, Probe], wait_s: float, tell: Callable[[str], None]
) -> Iterator[tuple[str, Judgement | tuple[dict[str, Any], tuple[float, float]]]]:
    """The outcome of each submitted probe, as they come; those that take too long are cancelled."""
    left, deadline = dict(probes), time.monotonic() + wait_s
    try:
        while left and time.monotonic() < deadline:
            tell(f"waiting for {len(left)} of {len(probes)} probes")
            for name in list(left):
                if (outcome := left[name].look()) is not None:
                    del left[name]
                    yield name, outcome
            time.sleep(POLL_S if left else 0)
        while left:
            name, one = left.popitem()
            yield name, one.waiting()
    finally:
        for one in left.values():  # the person has had enough
            one.cancel()
