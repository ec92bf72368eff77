"""What the person at the terminal is told instead of a traceback."""


class SupervisorError(Exception):
    """The processes cannot run; the message is one line that says what to do."""
