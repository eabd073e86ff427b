"""The frozen probe: how much a linear classifier reads from the vectors of a backbone."""
