"""The one error of the embedded services."""


class EmbeddedError(Exception):
    """The embedded services cannot run; the message is one line for the person at the terminal."""
