"""Snakemake's own report, made from inside the workflow that it reports on."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from protloc.errors import InputError


def write_report(snakefile: Path, config: Path, results: Sequence[str], output: Path) -> None:
    """Write one HTML file with the results that the rules declare for readers; it opens offline.

    `config` is the merged configuration beside the results, so the report is of exactly that study. Raises
    InputError with Snakemake's last words if it fails.
    """
    command = [sys.executable, "-m", "snakemake", "--snakefile", snakefile, "--configfile", config]
    command += ["--report", output, "--nolock", "--quiet", "all", "--", *results]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    logging.info("%s", done.stderr.strip())
    if done.returncode or not output.exists():
        raise InputError(f"{output.name}: snakemake --report failed: {done.stderr.strip().splitlines()[-1:]}")
