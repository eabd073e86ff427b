"""A study as a Workflow Run RO-Crate: its results, what made them, and the workflow, in one folder."""
