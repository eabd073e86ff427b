"""A table of what came of faults in a study that runs through a real Slurm, at random moments.

Needs the cluster that up.sh starts. A study that fails runs again, once; then its tables must equal those of
a local run, to the byte. `make faults` runs all.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lab import TINY, command, finish, on_slurm, tables

LAB = Path(os.environ.get("SLURM_LAB", Path(tempfile.gettempdir(), "slurm-lab")))
TRAINED = re.compile(r"^INFO: (split by .*, seed \d+): ", re.MULTILINE)
STUDY = TINY | {"finetune": {"fractions": [0.5, 1.0], "epochs": 2, "gpus": 1}}  # a longer job on a GPU
SMALL_MB = 600  # more than Snakemake takes twice


@dataclass
class Job:
    """A job of the workflow that runs now."""

    number: str
    node: str


@dataclass
class Trial:
    """A study while it runs: its folder, its Snakemake, and the logs of all attempts of its steps."""

    folder: Path
    extra: list[str] = field(default_factory=list)
    snakemake: subprocess.Popen | None = None
    logs: dict[tuple[Path, str], str] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Start Snakemake, or start it again."""
        with (self.folder.with_suffix(".log")).open("a") as log:
            self.snakemake = subprocess.Popen(
                on_slurm(self.folder, *self.extra, study=STUDY), stdout=log, stderr=log
            )

    def kill(self) -> None:
        """End Snakemake as a crash does."""
        self.snakemake.send_signal(signal.SIGKILL)
        self.snakemake.wait()

    def watch(self) -> None:
        """Keep what every attempt logged, let no requeued job wait its two minutes, look after the nodes.

        A controller that comes back without the last jobs gives their numbers again, and drains a node that
        still has one of that number; its administrator has to put such a node back.
        """
        while not self.over.wait(1):
            for line in said("sinfo", "-h", "-N", "-t", "drain", "-o", "%N %E").splitlines():
                if line.endswith("Duplicate jobid"):
                    said("scontrol", "update", f"nodename={line.split()[0]}", "state=resume")
            for job in said("squeue", "-h", "-t", "PD", "-o", "%A %r").splitlines():
                if job.endswith(" BeginTime"):
                    said("scontrol", "update", f"jobid={job.split()[0]}", "StartTime=now")
            for path in self.folder.glob("results/*/logs/**/*.log"):
                text = path.read_text()
                self.logs[path, text.partition("\n")[0]] = text

    def trained_twice(self) -> int:
        """How many runs of probes and fine-tuning were trained again after they had been finished."""
        finished = Counter(
            (path, run)
            for (path, _), text in self.logs.items()
            if {"probe", "finetune"} & set(path.parts)
            for run in set(TRAINED.findall(text))
        )
        return sum(count - 1 for count in finished.values())


def running(trial: Trial) -> list[Job]:
    """The study's jobs that run now."""
    jobs = said("squeue", "-h", "-t", "R", "-p", "cpu,gpu", "-o", "%A %N %Z")
    found = (line.split(maxsplit=2) for line in jobs.splitlines())
    return [Job(number, node) for number, node, folder in found if folder == str(trial.folder)]


def said(*words: str) -> str:
    """What a command of Slurm's says, which may be nothing."""
    return subprocess.run(words, capture_output=True, text=True, timeout=60).stdout


def preempted(_: Trial, job: Job) -> None:
    """A job of the urgent partition takes the node."""
    said("sbatch", "-p", "urgent", "-w", job.node, "--exclusive", "-o", "/dev/null", "--wrap", "sleep 3")


def time_over(_: Trial, job: Job) -> None:
    """The job's time limit is reached."""
    said("scontrol", "update", f"jobid={job.number}", "EndTime=now+1")


def node_down(_: Trial, job: Job) -> None:
    """The controller takes the job's node for failed; it comes back."""
    said("scontrol", "update", f"nodename={job.node}", "state=down", "reason=fault")
    time.sleep(5)
    said("scontrol", "update", f"nodename={job.node}", "state=resume")


def node_lost(_: Trial, job: Job) -> None:
    """The node's daemon dies, the job's processes go on unseen; the daemon comes back."""
    pid = LAB / f"run/slurmd.{job.node}.pid"
    os.kill(int(pid.read_text()), signal.SIGKILL)
    said("scontrol", "update", f"nodename={job.node}", "state=down", "reason=lost")
    time.sleep(random.uniform(5, 20))
    said("slurmd", "-N", job.node)
    said("scontrol", "update", f"nodename={job.node}", "state=resume")


def drained(_: Trial, job: Job) -> None:
    """The job's node takes no new ones for a while."""
    said("scontrol", "update", f"nodename={job.node}", "state=drain", "reason=maintenance")
    time.sleep(20)
    said("scontrol", "update", f"nodename={job.node}", "state=resume")


def controller_out(_: Trial, __: Job) -> None:
    """The controller dies and comes back after a while."""
    os.kill(int((LAB / "run/slurmctld.pid").read_text()), signal.SIGKILL)
    time.sleep(random.uniform(5, 40))
    said("slurmctld")


def snakemake_killed(trial: Trial, _: Job) -> None:
    """Snakemake is killed, and started again at once."""
    trial.kill()
    trial.start()


def login_rebooted(trial: Trial, _: Job) -> None:
    """Snakemake is killed, its jobs go on; it is started again later."""
    trial.kill()
    time.sleep(random.uniform(10, 40))
    trial.start()


def job_killed(_: Trial, job: Job) -> None:
    """Somebody cancels the job."""
    said("scancel", job.number)


def out_of_memory(_: Trial, __: Job) -> None:
    """Nothing now: rules chosen at random ask for too little on their first attempt."""


FAULTS: dict[str, Callable[[Trial, Job], None]] = {
    one.__name__: one
    for one in (
        preempted,
        time_over,
        out_of_memory,
        node_down,
        node_lost,
        drained,
        controller_out,
        snakemake_killed,
        login_rebooted,
        job_killed,
    )
}
# Several kinds happen in one study: those after which Slurm starts a job again, those after which Snakemake
# submits it again, those that hit what watches over the jobs.
GROUPS = [
    "preempted+node_down+node_lost+drained",
    "time_over+job_killed+out_of_memory",
    "controller_out+snakemake_killed+login_rebooted",
]
PATIENCE_S = 1800.0
STARVED = ("embed_network", "finetune", "probe")  # they take more than SMALL_MB for sure


def try_out(faults: list[str], times: int, folder: Path, reference: dict[str, bytes]) -> list[str]:
    """Rows of the table: studies in one folder after the other until each fault has happened so often."""
    plan = random.sample(faults * times, len(faults) * times)
    started, reruns, twice, left, same, studies = time.monotonic(), 0, 0, 0, True, 0
    while plan:
        trial = Trial(folder.with_name(f"{folder.name}-{studies}"))
        starved = [
            rule for rule in random.sample(STARVED, min(times, len(STARVED))) if "out_of_memory" in plan
        ]
        trial.extra = [f"{rule}:mem_mb={SMALL_MB} * attempt ** 3" for rule in starved]
        trial.extra = ["--set-resources", *trial.extra] if starved else []
        plan = [fault for fault in plan if fault != "out_of_memory"]
        reruns += run_with(plan, trial)
        studies += 1
        same = same and trial.snakemake.returncode == 0 and tables(trial.folder) == reference
        twice += trial.trained_twice()
        left += len(list(trial.folder.rglob(".partial*")))
    minutes = (time.monotonic() - started) / 60
    outcome = (
        f"{'identical' if same else 'DIFFERENT'} | {reruns} of {studies} | {left} | {twice} | {minutes:.1f}"
    )
    return [f"| {fault} | {times} | {outcome} |" for fault in faults]


def run_with(plan: list[str], trial: Trial) -> int:
    """How often a study had to be run again to reach its end, with faults from the plan meanwhile."""
    trial.start()
    watcher = threading.Thread(target=trial.watch, daemon=True)
    watcher.start()
    begun, reruns = time.monotonic(), 0
    while trial.snakemake.poll() is None or (trial.snakemake.returncode and not reruns):
        if trial.snakemake.poll() is not None:
            reruns += 1
            trial.start()
        time.sleep(random.uniform(5, 25))
        jobs = running(trial)
        if plan and jobs and trial.snakemake.poll() is None:
            job = random.choice(jobs)
            print(f"  {time.monotonic() - begun:.0f} s: {plan[-1]}, {job}", file=sys.stderr, flush=True)
            FAULTS[plan.pop()](trial, job)
        if time.monotonic() - begun > PATIENCE_S:
            raise TimeoutError(f"{trial.folder}: does not end")
    trial.over.set()
    watcher.join()
    return reruns


def main() -> int:
    """Print the table; 1 if a fault changed a result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "groups", nargs="*", default=GROUPS, help="kinds of faults, with + between those of one study"
    )
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "protloc-faults")
    options = parser.parse_args()
    random.seed(options.seed)
    finish(command(options.folder / "local", study=STUDY))
    reference = tables(options.folder / "local")
    print("| fault | times | tables | studies run again | left behind | trained twice | minutes |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: |", flush=True)
    rows = []
    for group in options.groups:
        folder = options.folder / f"{group}-{options.seed}"
        rows += try_out(group.split("+"), options.times, folder, reference)
        print("\n".join(rows[-len(group.split("+")) :]), flush=True)
    return 1 if any("DIFFERENT" in row for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
