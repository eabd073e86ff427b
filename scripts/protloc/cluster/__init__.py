"""What a run does beside its jobs: it counts them, ends those of an earlier run, tells what they used."""
