"""Fair shares: who was given least goes first (the virtual token counter of Sheng et al., 2024)."""

from __future__ import annotations

PROMPT_TOKEN, GENERATED_TOKEN = 1, 2  # what a token costs: reading many at once is cheaper than writing one


class Shares:
    """What each organisation has been given, and which of them have work here.

    One that comes back from idle starts level with the least served: it gets no credit for the past, and
    keeps what it was given beyond the others.
    """

    def __init__(self) -> None:
        self._spent: dict[str, int] = {}
        self._present: dict[str, int] = {}  # entries here
        self._floor = 0  # where the last one left

    def spent(self, organisation: str) -> int:
        """What an organisation with work here has been given."""
        return self._spent[organisation]

    def charge(self, organisation: str, cost: int) -> None:
        """The organisation was given so much."""
        self._spent[organisation] += cost

    def enter(self, organisation: str) -> None:
        """One more entry of the organisation is here."""
        if organisation not in self._present:
            self._present[organisation] = 0
            self._spent[organisation] = max(self._spent.get(organisation, 0), self._lowest(organisation))
        self._present[organisation] += 1

    def leave(self, organisation: str) -> None:
        """One entry less. What says nothing more than the common level is forgotten."""
        self._present[organisation] -= 1
        if self._present[organisation]:
            return
        del self._present[organisation]
        self._floor = self._lowest(organisation)
        for name in [name for name in self._spent if name not in self._present]:
            if self._spent[name] <= self._floor:
                del self._spent[name]

    def _lowest(self, organisation: str) -> int:
        """The level of the least served who are here; without any, where the last one left."""
        others = [self._spent[name] for name in self._present if name != organisation]
        return min(others, default=max(self._floor, self._spent.get(organisation, 0)))
