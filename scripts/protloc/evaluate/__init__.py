"""Scores of the predictions, and how sure they are."""
