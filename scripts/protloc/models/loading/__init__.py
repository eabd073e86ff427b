"""Checkpoints into timm models, whole and exact or not at all: a file for each way of holding weights."""
