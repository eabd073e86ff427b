"""What may be doubtful about a cell. A flag is a column, never a silent drop."""

from __future__ import annotations

FLAGS = {
    "touches_border": "the field's edge cuts its nucleus",
    "too_small": "the nucleus is smaller than one of a living cell: debris, or a piece",
    "saturated": "pixels at the camera's limit",
    "out_of_focus": "the nucleus' rim is blurred",
    "mitotic_like": "condensed and bright, as in mitosis",
    "odd_shape": "far from an ellipse: perhaps several nuclei, or a part of one",
    "beyond_field": "more of its crop lies beyond the field than `cells.max_padding`",
}
