"""Splits of the fields into parts for training, choosing and testing, as tables."""
