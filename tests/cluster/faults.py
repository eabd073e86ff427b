"""Faults injected into a study that runs through a real Slurm, at random moments: a table of what came of them.

Needs the cluster that up.sh starts. Each study has one kind of fault, several times; it runs again, once, if it
fails; then its tables must equal those of a local run, to the byte. `make faults` runs all: about an hour.
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

from lab import command, finish, on_slurm, tables

LAB = Path(os.environ.get("SLURM_LAB", Path(tempfile.gettempdir(), "slurm-lab")))
TRAINED = re.compile(r"^INFO: (split by .*, seed \d+): ", re.MULTILINE)
SMALL_MB = 450  # more than Snakemake takes twice, less than any step


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
            self.snakemake = subprocess.Popen(on_slurm(self.folder, *self.extra), stdout=log, stderr=log)

    def kill(self) -> None:
        """End Snakemake as a crash does."""
        self.snakemake.send_signal(signal.SIGKILL)
        self.snakemake.wait()

    def watch(self) -> None:
        """Keep what every attempt logged; the next one overwrites it."""
        while not self.over.wait(0.5):
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


def running() -> list[Job]:
    """The workflow's jobs that run now."""
    words = ["squeue", "-h", "-t", "R", "-p", "cpu,gpu", "-o", "%A %N"]
    said = subprocess.run(words, capture_output=True, text=True).stdout
    return [Job(*line.split()) for line in said.splitlines()]


def slurm(*words: str) -> None:
    """Run a command of Slurm's; what it says is of no interest."""
    subprocess.run(words, capture_output=True, timeout=60)


def again(job: Job) -> None:
    """Let a job that was requeued start now and not in two minutes."""
    time.sleep(3)
    slurm("scontrol", "update", f"jobid={job.number}", "StartTime=now")


def preempted(_: Trial, job: Job) -> None:
    """A job of the urgent partition takes the node."""
    slurm("sbatch", "-p", "urgent", "-w", job.node, "--exclusive", "-o", "/dev/null", "--wrap", "sleep 3")
    time.sleep(8)
    for one in running() + [job]:
        again(one)


def time_over(_: Trial, job: Job) -> None:
    """The job's time limit is reached."""
    slurm("scontrol", "update", f"jobid={job.number}", "EndTime=now+1")


def node_down(_: Trial, job: Job) -> None:
    """The controller takes the job's node for failed; it comes back."""
    slurm("scontrol", "update", f"nodename={job.node}", "state=down", "reason=fault")
    again(job)
    slurm("scontrol", "update", f"nodename={job.node}", "state=resume")


def node_lost(_: Trial, job: Job) -> None:
    """The node's daemon dies, the job's processes go on unseen; the daemon comes back."""
    pid = LAB / f"run/slurmd.{job.node}.pid"
    os.kill(int(pid.read_text()), signal.SIGKILL)
    slurm("scontrol", "update", f"nodename={job.node}", "state=down", "reason=lost")
    again(job)
    time.sleep(random.uniform(2, 15))
    slurm("slurmd", "-N", job.node)
    slurm("scontrol", "update", f"nodename={job.node}", "state=resume")


def drained(_: Trial, job: Job) -> None:
    """The job's node takes no new ones for a while."""
    slurm("scontrol", "update", f"nodename={job.node}", "state=drain", "reason=maintenance")
    time.sleep(20)
    slurm("scontrol", "update", f"nodename={job.node}", "state=resume")


def controller_out(_: Trial, __: Job) -> None:
    """The controller dies and comes back after a while."""
    os.kill(int((LAB / "run/slurmctld.pid").read_text()), signal.SIGKILL)
    time.sleep(random.uniform(5, 40))
    slurm("slurmctld")


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
    slurm("scancel", job.number)


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
STARVED = ("embed_network", "embed_features", "finetune", "probe", "evaluate", "figure_neighbours", "split")


def try_out(fault: str, times: int, folder: Path, reference: dict[str, bytes]) -> str:
    """A row of the table: the fault, how often, attempts, and whether the tables are the same."""
    trial = Trial(folder)
    if fault == "out_of_memory":
        starved = random.sample(STARVED, times)
        needs = [f"{rule}:mem_mb={SMALL_MB} * attempt ** 3" for rule in starved]
        trial.extra = ["--set-resources", *needs]
    trial.start()
    watcher = threading.Thread(target=trial.watch, daemon=True)
    watcher.start()
    started, injected, reruns = time.monotonic(), 0, 0
    while trial.snakemake.poll() is None:
        time.sleep(random.uniform(3, 12))
        jobs = running()
        if injected < times and jobs and trial.snakemake.poll() is None:
            FAULTS[fault](trial, random.choice(jobs))
            injected += 1
            time.sleep(random.uniform(5, 15))
        assert time.monotonic() - started < 1500, f"{fault}: does not end; {folder}"
    if trial.snakemake.returncode:
        reruns = 1
        trial.start()
        trial.snakemake.wait(900)
    trial.over.set()
    watcher.join()
    minutes = (time.monotonic() - started) / 60
    same = trial.snakemake.returncode == 0 and tables(folder) == reference
    left = len(list(folder.rglob(".partial*")))
    return (
        f"| {fault} | {injected} | {reruns} | {'identical' if same else 'DIFFERENT'} | {left} "
        f"| {trial.trained_twice()} | {minutes:.1f} |"
    )


def main() -> int:
    """Print the table; 1 if a fault changed a result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", nargs="*", default=list(FAULTS), help=", ".join(FAULTS))
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "protloc-faults")
    options = parser.parse_args()
    random.seed(options.seed)
    finish(command(options.folder / "local"))
    reference = tables(options.folder / "local")
    print("| fault | times | reruns | tables | left behind | trained twice | minutes |")
    print("| --- | ---: | ---: | --- | ---: | ---: | ---: |", flush=True)
    rows = []
    for fault in options.faults:
        rows.append(try_out(fault, options.times, options.folder / f"{fault}-{options.seed}", reference))
        print(rows[-1], flush=True)
    return 1 if any("DIFFERENT" in row for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
