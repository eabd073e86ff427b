"""Put what the study finds beside what was published: published.parquet."""

from pathlib import Path

from protloc.config.published import read_published
from protloc.evaluate.published import Data, published
from protloc.hashing import sha256_path
from protloc.records import recorded
from protloc.tables import read_table, write_table

with recorded(snakemake) as outputs:
    labels = snakemake.input.get("labels")  # a simulated study has none of its own
    data = Data(
        simulated=not labels,
        opencell=bool(labels) and sha256_path(Path(labels)) == snakemake.params.opencell,
        fields=len(read_table("fovs", snakemake.input.fovs, ["fov_id"])),
    )
    tables = (read_table(name, snakemake.input[name]) for name in ("summary", "comparisons"))
    claims = read_published(Path(snakemake.input.claims))
    write_table("published", published(claims, *tables, data), outputs["published"])
