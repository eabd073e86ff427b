"""Train a backbone end to end for every split, fraction and seed asked for: predictions, and at epoch 0."""

from pathlib import Path

from protloc.config.backbones import Network
from protloc.config.settings import Finetune
from protloc.fields import good_fields
from protloc.finetune.machine import this_machine
from protloc.finetune.runs import Job, Kept, finetune
from protloc.hashing import sha256_path
from protloc.kept import KeptRuns
from protloc.records import recorded
from protloc.runs import plan
from protloc.tables import read_table, write_tables
from protloc.threads import one_thread
from protloc.variants import parse
from protloc.vectors import read_vectors, sha256_vectors

with recorded(snakemake) as outputs:
    one_thread()  # a sum over threads depends on their number
    given, params = snakemake.input, snakemake.params
    settings = Finetune.model_validate(dict(params.finetune))
    variant = parse(snakemake.wildcards.variant)
    names, vectors = read_vectors(given.vectors, variant)
    job = Job(
        fields=good_fields(read_table("fovs", given.fovs)),
        root=Path(params.how["raw"]),
        names=names,
        vectors=vectors,
        proteins=read_table("proteins", given.proteins),
        network=Network.model_validate(dict(params.backbone)),
        strategy=variant.strategy,
        settings=settings,
        head=params.head,
        probe=dict(params.probe),
        machine=this_machine(settings.micro_batch, snakemake.threads),
    )
    read = [sha256_path(Path(path)) for path in (given.fovs, given.proteins)]
    identity = [read, job.identity, params.code]
    kept = Kept(*(KeptRuns("predictions", Path(folder), identity) for folder in params.how["kept"]))
    splits = {tuple(Path(path).stem.split("-")): read_table("splits", path) for path in given.splits}
    chosen = {key: split[split["seed"].isin(params.chosen["seeds"])] for key, split in splits.items()}
    designs = params.chosen["fractions"], params.chosen["shots"]
    runs = plan(chosen, *designs, variant, sha256_vectors(names, vectors))
    (tuned, epoch_0), measured = finetune(job, runs, kept, Path(params.how["checkpoint"]))
    outputs.run |= measured
    write_tables("predictions", tuned, outputs["predictions"])
    write_tables("predictions", epoch_0, outputs["epoch_0"])
