"""Labels of single cells: of their protein, or of a person, and the page on which a person gives them."""
