"""The frozen probe: how much a head reads from the vectors of a backbone."""
