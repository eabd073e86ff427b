"""Draw a mirror of OpenCell's bucket: fields of view of invented proteins, and their label table."""

import logging

from protloc.records import recorded
from protloc.simulate.study import simulate_study

with recorded(snakemake) as outputs:
    sizes = dict(snakemake.params.simulation)
    counts = simulate_study(
        outputs["mirror"],
        proteins_per_class=sizes["proteins_per_class"],
        fields_per_protein=sizes["fields_per_protein"],
        field_size=sizes["field_size_px"],
        seed=sizes["seed"],
        workers=snakemake.threads,
    )
    logging.info("drew %s", ", ".join(f"{number} {what}" for what, number in counts.items()))
