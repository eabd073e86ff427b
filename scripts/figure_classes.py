"""Draw the F1 of each class by backbone and strategy: SVG, PNG, and the numbers as CSV."""

from protloc.figures.asked import Asked
from protloc.figures.classes import class_scores, draw_classes
from protloc.figures.style import marked
from protloc.records import recorded
from protloc.tables import read_table
from protloc.variants import read_scores

with recorded(snakemake) as outputs, marked(outputs.digest):
    asked, task = Asked(**snakemake.params.asked), snakemake.params.task
    metrics = read_scores("metrics", snakemake.input.metrics, where={"task": task, "level": "fov"})
    of_setting = zip(snakemake.params.settings, snakemake.input.splits, strict=True)
    splits = {tuple(setting): read_table("splits", path) for setting, path in of_setting}
    scores = class_scores(metrics, splits, task, asked.controls)
    scores.to_csv(outputs["csv"], index=False, float_format="%.6f")
    draw_classes(scores, asked, snakemake.params.simulated, [outputs["svg"], outputs["png"]])
