"""What travels through the engine: a generation, and a piece of text to be read by a head."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from models_zoo.llm.tokenizer import TextStream
from workers.engine.protocol import Chunk, Sampling


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


@dataclass(slots=True, eq=False)
class Generation:
    """A reply in the making. `out` carries its chunks, and at the end perhaps an exception, to the caller."""

    prompt: list[int]
    sampling: Sampling
    adapter: str | None
    deadline: float | None
    text: TextStream
    stop: StopFilter
    limit: int  # tokens it may generate
    out: queue.SimpleQueue[Chunk | Exception] = field(default_factory=queue.SimpleQueue)
    generated: list[int] = field(default_factory=list)
    unreported: int = 0  # tokens whose text is still held back
    cancelled: bool = False
    slot: int = -1
    lora_slot: int = 0
    random_state: object = None  # torch.Generator, made at the first draw

    @property
    def cost(self) -> int:
        return len(self.prompt)

    @property
    def position(self) -> int:
        """Where the next token's keys go: everything before is cached."""
        return len(self.prompt) + len(self.generated) - 1

    def accept(self, token: int, control: bool) -> str | None:
        """Take a sampled token, put its text out, and say why the reply ends here, if it does."""
        self.generated.append(token)
        self.unreported += 1
        shown = "" if control else self.stop.push(self.text.push(token))
        if control or self.stop.hit:
            reason: str | None = "stop"
        else:
            reason = "length" if len(self.generated) >= self.limit else None
        if reason is None and shown:
            self._put(shown, None)
        elif reason is not None:
            self.finish(reason, shown)
        return reason

    def finish(self, reason: str, shown: str = "") -> None:
        """Put out the last chunk."""
        if not self.stop.hit:
            shown += self.stop.flush()
        self._put(shown, reason)

    def fail(self, error: Exception) -> None:
        """End with an error."""
        self.out.put(error)

    def _put(self, shown: str, reason: str | None) -> None:
        self.out.put(Chunk(shown, self.unreported, reason))
        self.unreported = 0


@dataclass(slots=True, eq=False)
class Reading:
    """One window of a text for a head. The future's value: a row of probabilities [classes] for a whole
    window, or one row for each position [tokens][tags]."""

    ids: list[int]
    adapter: str
    deadline: float | None = None
    result: Future[list[list[float]]] = field(default_factory=Future)
    cancelled: bool = False
    slot: int = -1
    lora_slot: int = 0

    @property
    def cost(self) -> int:
        return len(self.ids)

    def fail(self, error: Exception) -> None:
        """End with an error."""
        if not self.result.done():
            self.result.set_exception(error)
