"""Fields of view and graded labels from wherever they lie, as files below `data/` and two tables."""
