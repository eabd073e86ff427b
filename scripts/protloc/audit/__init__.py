"""Audit: what made a result, from what, and whether it is still true. Needs the results alone."""
