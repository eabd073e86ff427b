"""Draw where in some fields the networks' vectors come from: a PNG, and the values as CSV."""

from pathlib import Path

from protloc.figures.attention import draw_attention, values_of_maps
from protloc.figures.style import marked
from protloc.records import recorded
from protloc.tables import read_table

with recorded(snakemake) as outputs, marked(outputs.digest):
    maps = read_table("attention", snakemake.input.attention)
    values_of_maps(maps).to_csv(outputs["csv"], index=False, float_format="%.4f")
    draw_attention(
        maps,
        read_table("fovs", snakemake.input.fovs),
        dict(snakemake.params.titles),
        Path(snakemake.params.how["raw"]),
        snakemake.params.simulated,
        [outputs["png"], outputs["preview"]],
    )
