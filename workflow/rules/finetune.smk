"""Fine-tune: networks trained end to end, one job per backbone and channel strategy with every run on it.

Needs: fovs.parquet, the files below data/{study}/raw/, proteins.parquet, splits, and the frozen network's
embeddings, on which the probe's head is fitted first. Makes: runs/fov/finetune/{backbone}/{variant}/predictions.parquet
and epoch_0.parquet, what the network says before it is trained.
Finished runs and the last epoch of the one in progress are kept beside it: a job that was killed goes on, and
another seed or fraction costs its own runs alone.
"""

FINETUNE = (
    STUDY.finetune or Finetune()
)  # the rule is there without, but nothing asks for it


rule finetune:
    input:
        fovs=f"{RESULTS}/fovs.parquet",
        proteins=f"{RESULTS}/proteins.parquet",
        vectors=f"{RESULTS}/embeddings/fov/{{backbone}}.parquet",
        weights=lambda wildcards: weights(wildcards.backbone),
        splits=expand(
            f"{RESULTS}/splits/{{unit}}-{{policy}}.parquet",
            unit=FINETUNE.units or SPLITS.units,
            policy=FINETUNE.policies or SPLITS.label_policies,
        ),
    output:
        predictions=f"{RESULTS}/runs/fov/finetune/{{backbone}}/{{variant}}/predictions.parquet",
        epoch_0=f"{RESULTS}/runs/fov/finetune/{{backbone}}/{{variant}}/epoch_0.parquet",
    log:
        f"{RESULTS}/logs/finetune/{{backbone}}/{{variant}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/finetune/{{backbone}}/{{variant}}.tsv"
    wildcard_constraints:
        backbone="|".join(NETWORKS) or "(?!)",
    conda:
        f"{ENVS}/torch.yaml"
    resources:
        gpu=FINETUNE.gpus,
        mem_mb=memory(16000),
        runtime=1440,
    params:
        backbone=lambda wildcards: row_of(wildcards.backbone),
        finetune=FINETUNE.model_dump(
            exclude={
                "backbones",
                "strategies",
                "units",
                "policies",
                "fractions",
                "shots",
                "seeds",
            }
        ),
        chosen={
            "fractions": FINETUNE.fractions or SPLITS.fractions,
            "shots": SPLITS.shots if FINETUNE.shots is None else FINETUNE.shots,
            "seeds": FINETUNE.seeds or SPLITS.seeds,
        },
        head=STUDY.probe.heads[0],
        probe=STUDY.probe.model_dump(exclude={"heads"}),
        how=lambda wildcards, output: {
            "raw": RAW,
            "kept": [beside(output.predictions, f".kept{of}") for of in ("", "_0")],
            "checkpoint": beside(output.predictions, ".checkpoint.safetensors"),
        },
        code=code("finetune.py"),
    message:
        "Fine-tune {wildcards.backbone}, {wildcards.variant}"
    script:
        f"{SCRIPTS}/finetune.py"
