"""The page that a person opens first: the answer, computed from the tables, and where the rest is."""
