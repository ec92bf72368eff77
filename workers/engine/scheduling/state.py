"""Who waits, who runs, and the moves between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Generic

from workers.engine.scheduling.blocks import BlockPool
from workers.engine.scheduling.entry import E
from workers.engine.scheduling.fair import GENERATED_TOKEN, PROMPT_TOKEN, Shares
from workers.engine.scheduling.limits import Limits
from workers.engine.scheduling.record import Record
from workers.engine.scheduling.tables import Tables
from workers.engine.scheduling.waiting import Waiting


class State(Generic[E]):
    """Everything but the plan. An entry is in exactly one of the four places, and always in `records`."""

    def __init__(self, limits: Limits, pool: BlockPool) -> None:
        self.limits = limits
        self.tables: Tables[E] = Tables(pool)
        self.shares = Shares()
        self.records: dict[int, Record[E]] = {}
        self.prompts: Waiting[E] = Waiting()
        self.texts: Waiting[E] = Waiting()
        self.running: dict[int, Record[E]] = {}  # sequences with blocks
        self.reading: dict[int, Record[E]] = {}  # texts given to the device
        self.plans = 0  # made so far
        self.held = 0  # plans for which prompts were kept waiting for others

    def add(self, record: Record[E]) -> None:
        """A new entry waits."""
        self.records[id(record.entry)] = record
        self.shares.enter(record.entry.organisation)
        self.queue(record).add(record)

    def queue(self, record: Record[E]) -> Waiting[E]:
        """Where its like waits."""
        return self.texts if record.entry.whole else self.prompts

    def start(self, record: Record[E], now: float) -> None:
        """It waits no longer."""
        self.queue(record).remove(record, served=now)
        (self.reading if record.entry.whole else self.running)[id(record.entry)] = record

    def preempt(self, record: Record[E]) -> None:
        """It gives its blocks back, and waits at the front of a queue one class better."""
        del self.running[id(record.entry)]
        self.tables.give_back(record.entry)
        record.rank = max(0, record.rank - 1)
        record.preempted = self.plans
        self.prompts.add(record)

    def drop(self, record: Record[E]) -> None:
        """It leaves, from wherever it is."""
        key = id(record.entry)
        del self.records[key]
        if self.running.pop(key, None) is not None:
            self.tables.give_back(record.entry)
        elif self.reading.pop(key, None) is None:
            self.queue(record).remove(record)
        self.shares.leave(record.entry.organisation)

    def serve(self, record: Record[E], count: int, now: float) -> None:
        """The next `count` tokens are in this plan. Tokens are paid for once, even if computed again."""
        start = record.entry.computed
        fresh = start + count - max(start, record.charged)
        if fresh > 0:
            cost = GENERATED_TOKEN if record.remaining == 1 else PROMPT_TOKEN
            self.shares.charge(record.entry.organisation, cost * fresh)
            record.charged = start + count
        record.since, record.served = now, self.plans

    def standing(self, record: Record[E]) -> tuple[int, int, float]:
        """Who has the greatest is preempted first: class, then what its organisation was given, then
        arrival."""
        return record.rank, self.shares.spent(record.entry.organisation), record.entry.arrived

    def worst(self, among: Iterable[Record[E]]) -> list[Record[E]]:
        """The first to be preempted comes first."""
        return sorted(among, key=self.standing, reverse=True)

    def levels(self, waiting: Waiting[E], begun: dict[int, Record[E]]) -> Iterator[int]:
        """The classes of those who wait, and of those begun who have tokens to read."""
        yield from (queue.level for queue in waiting)
        yield from (record.rank for record in begun.values() if record.remaining > 1)

    def seats(self) -> Counter[str]:
        """How many places each organisation's sequences have. A beam that waits for the others does not count."""
        return Counter(record.entry.organisation for record in self.running.values() if record.entry.ready)

    def urgent(self) -> bool:
        """Whether one waits that could take a running one's place."""
        seats, poorest = self.seats(), dict[int, str]()
        for queue in self.prompts:
            other = poorest.setdefault(queue.level, queue.organisation)
            poorest[queue.level] = min(other, queue.organisation, key=seats.__getitem__)
        return any(
            gives_way(record, level, organisation, seats)
            for record in self.running.values()
            for level, organisation in poorest.items()
        )


def gives_way(record: Record[E], level: int, organisation: str, seats: Counter[str]) -> bool:
    """Whether a running sequence leaves its place to one of that class and organisation: to a better class, and to its
    own where its organisation has two places more, so that they do not take turns taking it."""
    own = seats[record.entry.organisation]
    return record.rank > level or (record.rank == level and own > seats[organisation] + 1)
