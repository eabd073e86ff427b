"""The one error that a user can mend."""


class InputError(ValueError):
    """A fault in what the user gave: one line that names the file and the field and says what to do."""
