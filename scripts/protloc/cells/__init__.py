"""Fields become cells: nuclei are found, what is around each is cut out, measured and flagged."""
