"""Reads an answer as it comes: what is said, and which tools are called with which arguments."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

from rootstock.gateway.tools import BEFORE_ARGUMENTS, BEFORE_NAME, OPENING

_START = OPENING + BEFORE_NAME


@dataclass(slots=True, frozen=True)
class Said:
    """Text for the reader."""

    text: str


@dataclass(slots=True, frozen=True)
class Called:
    """The call number `index` begins."""

    index: int
    id: str
    name: str


@dataclass(slots=True, frozen=True)
class Arguments:
    """More of the JSON of its arguments."""

    index: int
    text: str


Piece = Said | Called | Arguments


class ToolReader:
    """Push text, get pieces. An answer is either said or calls; the grammar sees to the form of the calls."""

    def __init__(self) -> None:
        self.calls = 0
        self._buffer, self._state = "", self._undecided
        self._depth, self._in_string, self._escaped = 0, False, False

    def push(self, text: str) -> list[Piece]:
        """What this text completes."""
        self._buffer += text
        pieces: list[Piece] = []
        while self._buffer:
            before = (self._buffer, self._state)
            pieces += self._state()
            if (self._buffer, self._state) == before:
                break
        return pieces

    def end(self, reason: str = "stop") -> list[Piece]:
        """The answer has ended: what was held back, in case it became a call, was said unless it was cut off."""
        left, self._buffer = self._buffer, ""
        is_said = self._state == self._undecided and (reason == "stop" or len(left) < len("<t"))
        return [Said(left)] if left and is_said else []

    def _undecided(self) -> Iterator[Piece]:
        if len(self._buffer) >= len(_START) or not _START.startswith(self._buffer):
            self._state = self._between if self._buffer.startswith(_START) else self._saying
        yield from ()

    def _saying(self) -> Iterator[Piece]:
        text, self._buffer = self._buffer, ""
        yield Said(text)

    def _between(self) -> Iterator[Piece]:
        """Before a call, or behind one."""
        _, found, rest = self._buffer.partition(_START)
        name, known, rest = rest.partition(BEFORE_ARGUMENTS)
        if found and known:
            self._buffer, self._state = rest, self._arguments
            self._depth, self._in_string, self._escaped = 0, False, False
            self.calls += 1
            yield Called(self.calls - 1, f"call_{uuid4().hex[:24]}", name)

    def _arguments(self) -> Iterator[Piece]:
        end = self._scanned()
        text, self._buffer = self._buffer[:end], self._buffer[end:]
        yield Arguments(self.calls - 1, text)
        if self._depth == 0:
            self._state = self._between

    def _scanned(self) -> int:
        """Where the object of the arguments ends, or the buffer."""
        for at, character in enumerate(self._buffer):
            if self._in_string:
                self._in_string = self._escaped or character != '"'
                self._escaped = not self._escaped and character == "\\"
            elif character == '"':
                self._in_string = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                if self._depth == 0:
                    return at + 1
        return len(self._buffer)
