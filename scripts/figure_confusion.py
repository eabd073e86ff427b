"""Draw what the best backbone takes each class for: SVG, PNG, and the numbers as CSV."""

import pandas as pd
from protloc.figures.asked import Asked
from protloc.figures.confusion import COLUMNS, SEEN, best_routes, confusion, draw_confusion
from protloc.figures.full_scores import full_scores
from protloc.figures.style import marked
from protloc.records import recorded
from protloc.tables import read_table
from protloc.variants import parse, read_scores

with recorded(snakemake) as outputs, marked(outputs.digest):
    asked = Asked(**snakemake.params.asked)
    summary = read_scores("summary", snakemake.input.summary, where={"level": "fov"})
    scores = full_scores(summary, snakemake.params.task, asked.controls)
    bests = best_routes(scores)
    files = dict(snakemake.params.files)
    pairs = [
        confusion(
            best,
            read_table(
                "predictions",
                files[best.route[0]],
                SEEN,
                best.rows | parse(best.route[1]).columns,
            ),
        )
        for best in bests
    ]
    pairs = pd.concat(pairs) if pairs else pd.DataFrame(columns=COLUMNS)
    pairs.to_csv(outputs["csv"], index=False, float_format="%.6f")
    draw_confusion(bests, pairs, scores, asked, snakemake.params.simulated, [outputs["svg"], outputs["png"]])
