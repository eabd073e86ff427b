"""The study's settings and the registry of backbones, as typed models."""
