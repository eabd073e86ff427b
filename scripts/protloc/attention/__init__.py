"""Attention: where in an image a network's vector comes from, for a few fields of view."""
