"""Say of every result whether it is what its record says: audit.html and audit.json."""

import json
import logging
from pathlib import Path

from protloc.audit.command import as_json
from protloc.audit.digests import Digests
from protloc.audit.judge import Audit
from protloc.audit.page import audit_page
from protloc.audit.study import open_study
from protloc.audit.text import problems
from protloc.records import recorded

with recorded(snakemake) as outputs:
    study = open_study(Path(snakemake.input.report).parent)
    digests = Digests(study.root)
    nodes = Audit(study, digests).all(without=[str(path) for path in snakemake.output])
    digests.keep()
    for line in problems(nodes, f"{study.name}/", colour=False):
        logging.warning("audit: %s", line)
    outputs["html"].write_text(audit_page(study, nodes), encoding="utf-8")
    outputs["json"].write_text(json.dumps(as_json(study, nodes), indent=1) + "\n", encoding="utf-8")
