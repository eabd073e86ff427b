"""Found by Python when it starts: takes the network from the scripts of Slurm jobs.

A script gets a network namespace of its own, in which even loopback is down: whatever it or a library of it
tries, in any language, fails. In the folder named by OFFLINE_WITNESS it leaves a file per job.
"""

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWNET = 0x40000000
job, witness = os.environ.get("SLURM_JOB_ID"), os.environ.get("OFFLINE_WITNESS")
if job and witness and any(".snakemake/scripts/" in word for word in sys.orig_argv):
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        sys.exit(f"no network namespace of one's own: {os.strerror(ctypes.get_errno())}")
    lines = Path("/proc/self/net/dev").read_text().splitlines()[2:]
    Path(witness, job).write_text("\n".join(line.split(":")[0].strip() for line in lines))
