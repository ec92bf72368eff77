"""A reply's text on its way out: whole characters only, never a stop string, and which tokens made it."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from workers.engine.protocol import TokenLogprob


class TextStream:
    """Turns tokens into text as they come, holding back the bytes of an unfinished character.

    What is still held back when the text ends is a cut character, and dropped. Bytes that are no UTF-8 become
    U+FFFD.
    """

    def __init__(self, token_bytes: Sequence[bytes]) -> None:
        self._bytes = token_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token: int) -> str:
        """The whole characters that `token` completes; may be empty."""
        return self._decoder.decode(self._bytes[token])

    @property
    def unfinished(self) -> bool:
        """Whether bytes of a character are held back."""
        return bool(self._decoder.getstate()[0])


class StopFilter:
    """Passes text on until a stop string appears, holding back what might be the beginning of one."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = [text for text in stop if text]
        self._held = ""
        self.hit = False

    def push(self, text: str) -> str:
        """The text that can be shown now; `hit` is set once a stop string has come, and nothing follows
        it."""
        self._held += text
        found = [position for position in map(self._held.find, self._stop) if position >= 0]
        if found:
            self.hit = True
            return self._release(min(found), drop=True)
        return self._release(len(self._held) - self._held_back())

    def flush(self) -> str:
        """What was held back, at the end of the text."""
        return self._release(len(self._held))

    def _held_back(self) -> int:
        """Length of the longest end of the text that begins a stop string."""
        longest = max(map(len, self._stop), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(text.startswith(self._held[-length:]) for text in self._stop):
                return length
        return 0

    def _release(self, length: int, drop: bool = False) -> str:
        shown, rest = self._held[:length], self._held[length:]
        self._held = "" if drop else rest
        return shown


@dataclass(slots=True, frozen=True)
class Piece:
    """Text that can be shown, how many tokens it took, and what is told of them."""

    text: str
    tokens: int
    logprobs: tuple[TokenLogprob, ...]


class Transcript:
    """The text of one reply. Tokens travel with the text they make: a token is reported once all its
    characters are shown."""

    def __init__(self, stream: TextStream, stop: Sequence[str]) -> None:
        self._stream = stream
        self._stop = StopFilter(stop)
        self._ready = ""
        self._made = 0  # characters made so far
        self._shown = 0  # of those, taken or ready to be
        self._tokens: deque[tuple[int, int, TokenLogprob | None]] = deque()  # its first character, its end

    @property
    def stopped(self) -> bool:
        """A stop string has come."""
        return self._stop.hit

    @property
    def waiting(self) -> bool:
        """There is text to take."""
        return bool(self._ready)

    def push(self, token: int, logprob: TokenLogprob | None = None) -> None:
        """The reply's next token."""
        start = self._made
        text = self._stream.push(token)
        self._made += len(text)
        self._tokens.append((start, self._made + self._stream.unfinished, logprob))
        self._show(self._stop.push(text))

    def take(self) -> Piece:
        """What can be shown now and has not been taken."""
        count = sum(end <= self._shown for _, end, _ in self._tokens)
        return self._piece(count)

    def take_rest(self, control: bool = False) -> Piece:
        """The last piece. Of the tokens that made no shown text, those of a stop string and an end token
        (`control`: the last is one) are counted but not told."""
        if not self.stopped:
            self._show(self._stop.flush())
        told = [entry for entry in self._tokens if not self.stopped or entry[0] < self._shown]
        if control and told:
            told.pop()
        piece = self._piece(len(self._tokens))
        return Piece(piece.text, piece.tokens, tuple(record for *_, record in told if record is not None))

    def _show(self, text: str) -> None:
        self._ready += text
        self._shown += len(text)

    def _piece(self, count: int) -> Piece:
        taken = [self._tokens.popleft()[2] for _ in range(count)]
        text, self._ready = self._ready, ""
        return Piece(text, count, tuple(record for record in taken if record is not None))
