"""Cluster: what a run does beside its jobs: says how many, ends those of an earlier run, tells what they used."""
