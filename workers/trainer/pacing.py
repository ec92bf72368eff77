"""How much of its time a training may work while answers are written: said by the parent, kept by the child."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

LEAST, FIRST = 0.02, 0.1  # shares: never less, and what it begins with when somebody is served
LOOK_S = 0.5
LONGEST_S = 5.0  # of a piece of work that is made up for: what took longer was mostly waiting
EASY = 0.8  # of the budget: below it the training may take more


@dataclass(slots=True, frozen=True)
class Load:
    """An engine that serves somebody: the time between tokens, and the most that it should be. Milliseconds."""

    token_ms: float
    budget_ms: float


def loads_of(engines: Sequence[dict[str, Any] | None]) -> list[Load]:
    """Of what engines publish, those that serve somebody."""
    return [
        Load(engine["token_ms"], engine["token_budget_ms"])
        for engine in engines
        if engine and engine.get("token_budget_ms") and engine["running"] + engine["waiting"]
    ]


def next_share(share: float, loads: Sequence[Load]) -> float:
    """What the training may take after `share`: all of its time when nobody is served; half of what it had when an
    engine is over its budget, a fifth more when all are well below."""
    if not loads:
        return 1.0
    if share == 1.0:
        return FIRST
    strain = max(load.token_ms / load.budget_ms for load in loads)
    if strain > 1.0:
        return max(LEAST, share / 2)
    return min(0.99, share * 1.2) if strain < EASY else share


class Pacer:
    """The parent's side: looks at the engines now and then, and tells the child when its share changes.

    look: the engines that serve somebody, or None where they cannot be asked; then nothing changes. `share` is what
    the child was told last.
    """

    def __init__(self, look: Callable[[], list[Load] | None], tell: Callable[[float], None]) -> None:
        self._look, self._tell = look, tell
        self.share, self._due = 1.0, 0.0

    def __call__(self) -> None:
        """As often as one likes."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + LOOK_S
        loads = self._look()
        if loads is None:
            return
        share = next_share(self.share, loads)
        if share != self.share:
            self.share = share
            self._tell(share)


class Duty:
    """The child's side: called often, between two pieces of work, it sleeps so that work takes its share of the time.

    `finish` waits for what the device was given, so that a sleeping run leaves the device alone.
    """

    def __init__(self, finish: Callable[[], None] | None = None) -> None:
        self._finish = finish
        self._changed = threading.Condition()
        self._share = 1.0
        self._since = time.monotonic()

    def allow(self, share: float) -> None:
        """From now on; a sleep under way is measured anew. From any thread. Raises ValueError outside (0, 1]."""
        if not 0.0 < share <= 1.0:
            raise ValueError(f"share: {share}, expected more than 0 and at most 1")
        with self._changed:
            self._share = share
            self._changed.notify()

    def begin(self) -> bool:
        """A pass begins; whether it is to be held up. One that was not is not made up for: what it took may be a
        second, and the sleep for that a minute."""
        self._since = time.monotonic()
        return self._share < 1.0

    def __call__(self) -> None:
        if self._share < 1.0 and self._finish is not None:
            self._finish()
        stopped = time.monotonic()
        worked = min(LONGEST_S, stopped - self._since)
        with self._changed:
            while (left := stopped + worked * (1.0 / self._share - 1.0) - time.monotonic()) > 0:
                self._changed.wait(left)
        self._since = time.monotonic()
