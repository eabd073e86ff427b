"""Audit: whether every result, and all that it was made from, is what the records say.

Needs: the report, the page and its tables, which come after everything else. Makes: audit.html, audit.json. `protloc audit` asks more.
"""


rule audit:
    input:
        report=f"{RESULTS}/report.html",
        index=f"{RESULTS}/index.html",
        tables=rules.tables.output,
    output:
        html=f"{RESULTS}/audit.html",
        json=f"{RESULTS}/audit.json",
    log:
        f"{RESULTS}/logs/audit.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        code=code("audit.py"),
    message:
        "Audit all results"
    script:
        f"{SCRIPTS}/audit.py"
