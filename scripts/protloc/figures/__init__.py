"""Figures: what people look at, in one style; equal content gives equal bytes."""
