"""Who waits, and who of them goes first."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, NamedTuple

from workers.engine.scheduling.entry import E
from workers.engine.scheduling.fair import Shares
from workers.engine.scheduling.record import Record

QueueKey = tuple[int, str, str | None, int]


@dataclass(slots=True, eq=False)
class Queue(Generic[E]):
    """Entries of one class, organisation, adapter and length bucket: first come, first served.

    `since` is when it was last served, or first seen waiting.
    """

    level: int
    organisation: str
    adapter: str | None
    records: OrderedDict[int, Record[E]] = field(default_factory=OrderedDict)
    since: float | None = None

    def seen(self, now: float) -> float:
        """Since when it waits: from now on, if nobody saw it before."""
        if self.since is None:
            self.since = now
        return self.since

    def head(self, plan: int) -> Record[E] | None:
        """The first who may run now. What this plan preempted waits for the next."""
        return next((r for r in self.records.values() if r.entry.ready and r.preempted != plan), None)


class Waiting(Generic[E]):
    """The queues of those who wait. Nobody is searched for: adding and removing are O(1)."""

    def __init__(self) -> None:
        self._queues: dict[QueueKey, Queue[E]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Queue[E]]:
        return iter(self._queues.values())

    def add(self, record: Record[E]) -> None:
        """At the end of its queue; who was preempted, at the front."""
        queue = self._queues.setdefault(_key(record), Queue(*_key(record)[:3]))
        queue.records[id(record)] = record
        if record.preempted:
            queue.records.move_to_end(id(record), last=False)
        self._count += 1

    def remove(self, record: Record[E], served: float | None = None) -> None:
        """Take it out; `served` is the time, if it is because its turn has come."""
        queue = self._queues[_key(record)]
        del queue.records[id(record)]
        if served is not None:
            queue.since = served
        if not queue.records:
            del self._queues[_key(record)]
        self._count -= 1


def _key(record: Record[E]) -> QueueKey:
    return record.rank, record.entry.organisation, record.entry.adapter, record.bucket


class Candidate(NamedTuple, Generic[E]):
    """One whose turn may come; `queue` if it waits, None if it is under way."""

    level: int
    record: Record[E]
    queue: Queue[E] | None


class Lineup(Generic[E]):
    """The candidates of one plan, best first: class, then the least served organisation, then the earliest.

    A class rises by one for each `ageing` seconds without being served. Organisations are charged while the
    plan is made, so that a place is looked at again when it comes up.
    """

    def __init__(self, shares: Shares, plan: int, now: float, ageing: float) -> None:
        self._shares, self._plan, self._now, self._ageing = shares, plan, now, ageing
        self._heap: list[tuple[int, int, float, int, Candidate[E]]] = []
        self._number = count()

    def add(self, record: Record[E]) -> None:
        """One that is under way."""
        self._push(Candidate(self._aged(record.rank, record.since), record, None))

    def add_queue(self, queue: Queue[E]) -> None:
        """The first of those who wait there; call it again to get the next one."""
        since, head = queue.seen(self._now), queue.head(self._plan)
        if head is not None:
            self._push(Candidate(self._aged(queue.level, since), head, queue))

    def pop(self) -> Candidate[E] | None:
        """The best one, taken out."""
        while self._heap:
            _, spent, _, _, candidate = heapq.heappop(self._heap)
            if spent == self._shares.spent(candidate.record.entry.organisation):
                return candidate
            self._push(candidate)
        return None

    def _push(self, candidate: Candidate[E]) -> None:
        entry = candidate.record.entry
        spent = self._shares.spent(entry.organisation)
        item = (candidate.level, spent, entry.arrived, next(self._number), candidate)
        heapq.heappush(self._heap, item)

    def _aged(self, level: int, since: float) -> int:
        return max(0, level - int((self._now - since) / self._ageing))
