"""The localization of a cell from the labels of its nearest neighbours."""
