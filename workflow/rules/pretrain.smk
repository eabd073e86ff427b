"""Pretrain: the workflow's own DINO, a vision transformer that learns from the study's images alone.

Needs: fovs.parquet, the files below data/{study}/raw/, proteins.parquet for the held-out proteins of the
curve, and the split that pretraining.exclude names, if any. Makes: weights/{backbone}.safetensors,
weights/{backbone}.curve.parquet with its figure, and weights/{backbone}.images.parquet: which images it was
trained on. A run that was killed goes on from its last epoch, below weights/.checkpoints/.
"""

if PRETRAINED:

    rule pretrain:
        input:
            fovs=f"{RESULTS}/fovs.parquet",
            proteins=f"{RESULTS}/proteins.parquet",
            split=excluded(STUDY.pretraining.exclude),
        output:
            weights=OWN_WEIGHTS,
            images=OWN_IMAGES,
            curve=f"{RESULTS}/weights/{PRETRAINED}.curve.parquet",
        log:
            f"{RESULTS}/logs/pretrain.log",
        benchmark:
            f"{RESULTS}/benchmarks/pretrain/{PRETRAINED}.tsv"
        conda:
            f"{ENVS}/torch.yaml"
        resources:
            gpu=STUDY.pretraining.gpus,
            mem_mb=memory(16000),
            runtime=1440,
        params:
            backbone=REGISTRY[PRETRAINED].model_dump(mode="json"),
            pretraining=STUDY.pretraining.model_dump(mode="json"),
            how={
                "raw": RAW,
                "checkpoints": f"{RESULTS}/weights/.checkpoints/{PRETRAINED}",
            },
            code=code("pretrain.py"),
        message:
            "Pretrain on the study's own images"
        script:
            f"{SCRIPTS}/pretrain.py"

    rule figure_pretraining:
        input:
            curve=rules.pretrain.output.curve,
        output:
            svg=report(
                f"{RESULTS}/figures/pretraining.svg",
                category="Pretraining",
                labels={"figure": "loss, entropy and kNN over epochs"},
                caption="../report/pretraining.rst",
            ),
            png=f"{RESULTS}/figures/pretraining.png",
            csv=f"{RESULTS}/figures/pretraining.csv",
        log:
            f"{RESULTS}/logs/figure_pretraining.log",
        conda:
            f"{ENVS}/analysis.yaml"
        params:
            title=REGISTRY[PRETRAINED].title,
            prototypes=STUDY.pretraining.prototypes,
            simulated=SIMULATED,
            code=code("figure_pretraining.py"),
        message:
            "Draw the curve of the pretraining"
        script:
            f"{SCRIPTS}/figure_pretraining.py"
