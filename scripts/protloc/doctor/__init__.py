"""Whether a study can run here and on the partitions of a profile, asked before it does."""
