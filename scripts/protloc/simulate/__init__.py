"""OpenCell in small: fields of view and labels of invented proteins, with known nuclei and cells."""
