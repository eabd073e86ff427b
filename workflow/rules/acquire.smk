"""Acquire: fields of view and labels, from a bucket, a mirror folder or the simulator.

Needs: the mirror. Makes: data/{study}/raw/ with the files, results/{study}/fovs.parquet, proteins.parquet, and
config.yaml, the configuration with every default.
"""


rule configuration:
    output:
        config=f"{RESULTS}/config.yaml",
    log:
        f"{RESULTS}/logs/configuration.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        study=STUDY.model_dump(mode="json"),
        code=code("configuration.py"),
    message:
        "Write the merged configuration"
    script:
        f"{SCRIPTS}/configuration.py"


if SIMULATED:

    rule simulate:
        output:
            mirror=directory(MIRROR),
        log:
            f"{RESULTS}/logs/simulate.log",
        benchmark:
            f"{RESULTS}/benchmarks/simulate.tsv"
        conda:
            f"{ENVS}/analysis.yaml"
        threads: 16
        params:
            simulation=STUDY.simulation.model_dump(),
            code=code("simulate.py"),
        message:
            "Draw simulated fields of view"
        script:
            f"{SCRIPTS}/simulate.py"


rule acquire:
    input:
        MIRROR if SIMULATED else STUDY.acquisition.labels,
    output:
        fovs=f"{RESULTS}/fovs.parquet",
        proteins=f"{RESULTS}/proteins.parquet",
    log:
        f"{RESULTS}/logs/acquire.log",
    benchmark:
        f"{RESULTS}/benchmarks/acquire.tsv"
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        acquisition=source(),
        max_bad_share=STUDY.quality.max_bad_share,
        files={
            "below": RAW,
            "listed_in": f"{RESULTS}/fovs.parquet",
            "name": "key",
            "sha256": "sha256",
        },
        how={"listing": f"{DATA}/{LISTING}"},
        code=code("acquire.py"),
    message:
        "Fetch the fields of view and check the labels"
    script:
        f"{SCRIPTS}/acquire.py"
