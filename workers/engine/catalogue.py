"""The adapters that can be asked for, and which of them are asked for or take memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic

from workers.engine.known import Known, Weights


class Catalogue(Generic[Weights]):
    """Adapters by name, least recently used first. `wanted` are those with requests, `inside` those in memory or on
    their way there, `used` the bytes they take: thousands may be known, a step of the engine looks at these alone.

    Not thread-safe: under residency's lock.
    """

    def __init__(self) -> None:
        self._all: OrderedDict[str, Known[Weights]] = OrderedDict()
        self.inside: OrderedDict[str, Known[Weights]] = OrderedDict()
        self.wanted: dict[str, Known[Weights]] = {}
        self.used = 0

    def __getitem__(self, name: str) -> Known[Weights]:
        return self._all[name]

    def __contains__(self, name: str) -> bool:
        return name in self._all

    def get(self, name: str) -> Known[Weights] | None:
        """The adapter, if it is known."""
        return self._all.get(name)

    def items(self) -> Iterator[tuple[str, Known[Weights]]]:
        """All of them."""
        return iter(self._all.items())

    def add(self, name: str, one: Known[Weights]) -> None:
        """A new one, with its weights or on disk."""
        self._all[name] = one
        if one.weights is not None:
            self._enter(name, one)

    def forget(self, name: str) -> None:
        """It is known no more."""
        self.drop(name)
        del self._all[name]

    def want(self, name: str) -> None:
        """A request for it was submitted."""
        self.share(name)
        self._all.move_to_end(name)
        if name in self.inside:
            self.inside.move_to_end(name)

    def share(self, name: str) -> None:
        """A request for it goes on in one part more."""
        one = self._all[name]
        one.since = one.since if one.wanted else time.monotonic()
        one.wanted += 1
        self.wanted[name] = one

    def unwant(self, name: str) -> bool:
        """A request for it has ended; whether it was the last."""
        one = self._all[name]
        one.wanted -= 1
        if not one.wanted:
            del self.wanted[name]
        return not one.wanted

    def load(self, name: str) -> None:
        """It is being read: its bytes are taken from now on."""
        one = self._all[name]
        one.loading = True
        self._enter(name, one)

    def loaded(self, name: str, weights: Weights | None, failure: str) -> None:
        """It was read, or why it was not."""
        one = self._all[name]
        one.weights, one.failure, one.loading = weights, failure, False
        if weights is None:
            self.drop(name)

    def drop(self, name: str) -> None:
        """It is on disk alone."""
        one = self.inside.pop(name, None)
        if one is not None:
            one.weights = None
            self.used -= one.bytes

    def _enter(self, name: str, one: Known[Weights]) -> None:
        self.inside[name] = one
        self.used += one.bytes
