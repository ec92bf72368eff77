"""The processes' output, line by line, each with the name of its process in front."""

import os
import sys
import threading
from typing import TextIO

COLOURS = (36, 35, 34, 33, 32, 96, 95, 94)


class Output:
    """Writes whole lines to a terminal or a file, from many threads."""

    def __init__(self, stream: TextIO | None = None, width: int = 10) -> None:
        self._stream = stream or sys.stdout
        self._width = width
        self._lock = threading.Lock()
        self._colours: dict[str, int] = {}
        self._plain = not self._stream.isatty() or bool(os.environ.get("NO_COLOR"))

    def line(self, name: str, text: str) -> None:
        """Write one line of the process `name`; output that nobody reads any more is dropped."""
        try:
            with self._lock:
                print(self._prefix(name) + text, file=self._stream, flush=True)
        except (BrokenPipeError, ValueError):
            self._stream = open(os.devnull, "w")  # noqa: SIM115  (as long as the process)

    def _prefix(self, name: str) -> str:
        label = f"{name:<{self._width}} │ "
        if self._plain:
            return label
        colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
        return f"\033[{colour}m{label}\033[0m"
