"""What the engine does next: plain Python, no torch, so that its rules are tested without a model.

One call of `plan` gives one step: read new prompts, decode one token for everyone running, or run one batch
of texts through their heads. New prompts are read together up to a token budget (reading each freed slot
alone costs most of the throughput), and while sequences are running, texts and prompts alternate with decode
steps, so that neither side waits for more than one step of the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class Entry(Protocol):
    """What the scheduler needs to know of a request."""

    cancelled: bool
    deadline: float | None
    slot: int  # key-value slot while running

    @property
    def cost(self) -> int: ...  # tokens of the prompt or text

    @property
    def adapter(self) -> str | None: ...


Request = TypeVar("Request", bound=Entry)
Text = TypeVar("Text", bound=Entry)


@dataclass(slots=True, frozen=True)
class Limits:
    """Bounds of the engine: sequences at once, tokens read in one step, texts in one step, requests
    waiting."""

    sequences: int = 16
    step_tokens: int = 1024
    step_texts: int = 64
    waiting: int = 512


@dataclass(slots=True, frozen=True)
class Prefill(Generic[Request]):
    """Read these prompts; their slots have been given."""

    requests: list[Request]


@dataclass(slots=True, frozen=True)
class Decode(Generic[Request]):
    """One token for each of these, in slot order 0, 1, 2 …"""

    requests: list[Request]


@dataclass(slots=True, frozen=True)
class Read(Generic[Text]):
    """Run these texts through the base, their adapters and heads."""

    texts: list[Text]


@dataclass(slots=True, frozen=True)
class Move:
    """Copy the cache of slot `source` to slot `target`: running slots stay contiguous."""

    source: int
    target: int


Step = Prefill[Request] | Decode[Request] | Read[Text] | None


@dataclass(slots=True)
class Scheduler(Generic[Request, Text]):
    """Queues and running sequences. Not thread-safe: owned by the engine thread."""

    limits: Limits
    waiting: deque[Request] = field(default_factory=deque)
    texts: deque[Text] = field(default_factory=deque)
    running: list[Request] = field(default_factory=list)
    _decode_next: bool = False
    _texts_next: bool = False

    def add(self, request: Request) -> None:
        """Queue a generation."""
        self.waiting.append(request)

    def add_text(self, text: Text) -> None:
        """Queue a text to read."""
        self.texts.append(text)

    @property
    def idle(self) -> bool:
        return not (self.waiting or self.texts or self.running)

    def expired(self, now: float) -> list[Request | Text]:
        """Take out, from the queues, what was cancelled or is past its deadline. Running ones are the
        loop's."""
        self.waiting, late_requests = _split(self.waiting, now)
        self.texts, late_texts = _split(self.texts, now)
        return [*late_requests, *late_texts]

    def plan(self, admit: Callable[[list[str | None]], int]) -> Step[Request, Text]:
        """The next step, or None when there is nothing to do.

        `admit(adapters)` tells for how many of these, from the front, adapters can be resident at once.
        """
        if self.running and self._decode_next:
            self._decode_next = False
            return Decode(list(self.running))
        self._decode_next = True
        step = self._read_something(admit)
        if step is None and self.running:
            self._decode_next = False
            return Decode(list(self.running))
        return step

    def _read_something(self, admit: Callable[[list[str | None]], int]) -> Step[Request, Text]:
        """Prompts and texts take turns; either goes when the other has nothing."""
        self._texts_next = not self._texts_next
        first, second = (self._prefill, self._read) if self._texts_next else (self._read, self._prefill)
        return first(admit) or second(admit)

    def _prefill(self, admit: Callable[[list[str | None]], int]) -> Prefill[Request] | None:
        free = self.limits.sequences - len(self.running)
        count = self._affordable(self.waiting, free, admit)
        if not count:
            return None
        requests = [self.waiting.popleft() for _ in range(count)]
        for request in requests:
            request.slot = len(self.running)
            self.running.append(request)
        return Prefill(requests)

    def _read(self, admit: Callable[[list[str | None]], int]) -> Read[Text] | None:
        count = self._affordable(self.texts, self.limits.step_texts, admit)
        return Read([self.texts.popleft() for _ in range(count)]) if count else None

    def _affordable(
        self, queue: deque[Request] | deque[Text], most: int, admit: Callable[[list[str | None]], int]
    ) -> int:
        """How many from the front fit: rows are padded to the longest, and the first always fits."""
        longest, count = 0, 0
        for entry in queue:
            longest = max(longest, entry.cost)
            if count >= most or (count and longest * (count + 1) > self.limits.step_tokens):
                break
            count += 1
        return admit([entry.adapter for entry, _ in zip(queue, range(count), strict=False)])

    def finish(self, request: Request) -> Move | None:
        """Take a request out of the running; the last slot's sequence moves into the freed one."""
        slot, last = request.slot, self.running[-1]
        self.running.pop()
        request.slot = -1
        if last is request:
            return None
        self.running[slot] = last
        source, last.slot = last.slot, slot
        return Move(source, slot)


Queued = TypeVar("Queued", bound=Entry)


def _split(queue: deque[Queued], now: float) -> tuple[deque[Queued], list[Queued]]:
    kept: deque[Queued] = deque()
    gone: list[Queued] = []
    for entry in queue:
        over = entry.cancelled or (entry.deadline is not None and now >= entry.deadline)
        (gone if over else kept).append(entry)
    return kept, gone
