"""The scheduler: continuous batching over a paged cache, with fair shares."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Generic

from workers.engine.protocol import EngineBusy, EngineError, PromptTooLong
from workers.engine.scheduling.blocks import BlockPool
from workers.engine.scheduling.entry import E, Entry, Step
from workers.engine.scheduling.limits import Limits
from workers.engine.scheduling.plan import Plan
from workers.engine.scheduling.prefix import Chain
from workers.engine.scheduling.record import Record, length_bucket
from workers.engine.scheduling.state import State

RECOVERY_STEPS = 32  # done without trouble, before a budget that was halved is doubled
BEHIND = 4  # of so many turns, texts and prompts of lower class have one


class Scheduler(Generic[E]):
    """Mixes in each step one token of every sequence that decodes, chunks of prompts and whole texts.

    Not thread-safe: owned by the engine thread.
    """

    def __init__(self, limits: Limits, blocks: BlockPool) -> None:
        self.limits, self.blocks = limits, blocks
        self._state: State[E] = State(limits, blocks)
        self._budget = limits.step_tokens
        self._calm = 0  # steps done since the budget changed
        self._turn = 0
        self._text_led = False

    @property
    def idle(self) -> bool:
        """Nothing waits, nothing runs."""
        return not self._state.records

    @property
    def running(self) -> int:
        """Sequences with blocks, and texts given to the device."""
        return len(self._state.running) + len(self._state.reading)

    @property
    def waiting(self) -> int:
        """Entries that were not begun, or were preempted."""
        return len(self._state.prompts) + len(self._state.texts)

    @property
    def prefix(self) -> tuple[int, int]:
        """Prompt tokens found in the prefix cache, of how many, since the start."""
        return self._state.tables.found, self._state.tables.asked

    @property
    def entries(self) -> list[E]:
        """All, waiting and running."""
        return [record.entry for record in self._state.records.values()]

    def add(self, entry: E, begun: bool = False) -> None:
        """Queue it. `EngineBusy` when too many wait, unless it belongs to what has `begun`; `EngineError` when
        it can never fit the cache."""
        if self.waiting >= self.limits.waiting and not begun:
            raise EngineBusy(f"{self.waiting} requests are waiting, at most {self.limits.waiting} may")
        tokens, most = entry.known(), self.blocks.count * self.blocks.size
        if not tokens:
            raise EngineError("there are no tokens to read")
        if not entry.whole and tokens > most:
            raise PromptTooLong(f"the prompt has {tokens} tokens, the key-value cache holds {most}")
        chain = Chain(entry.organisation, entry.adapter, self.blocks.size)
        bucket = length_bucket(tokens) if entry.whole else 0
        self._state.add(Record(entry, chain, max(0, entry.priority), bucket, begun=begun))

    def plan(
        self, now: float, resident: Callable[[E], bool], on_the_way: Container[str | None] = ()
    ) -> Step[E] | None:
        """What to do next, or None when nothing can be done now.

        `resident(entry)` tells whether its adapter is in a device slot, and is then held for it, until it
        ends or is preempted. False passes it over; others go on. Who waits for an adapter that is `on_the_way` is
        passed over unasked, and keeps no memory from others. `now` in seconds, of any one clock.
        """
        state = self._state
        state.plans += 1
        plan = Plan(state, self._budget, now, resident, on_the_way)
        decodes, chunks = self._under_way()
        texts_first = self._texts_first()
        self._text_led = texts_first and not self._text_led
        if self._text_led:  # before all others, so that a text of any length has its turn
            plan.texts(most=1)
        plan.decode(decodes)
        if texts_first:
            plan.texts(self.limits.step_texts - self._text_led)
        plan.prompts(chunks, admit=self._admits(decodes, chunks))
        if not texts_first:
            plan.texts(self.limits.step_texts)
        plan.unblock()
        return plan.step or None

    def done(self, step: Step[E]) -> None:
        """The step was run: the keys of its pieces are cached."""
        for piece in step.pieces:
            record = self._state.records.get(id(piece.entry))
            if record is None:
                continue
            if piece.entry.whole:
                piece.entry.computed = piece.count
            else:
                self._state.tables.computed(record, piece.start + piece.count)
        self._state.tables.settle_copies()
        self._recover()

    def finish(self, entry: E) -> None:
        """It ends, wherever it is; full blocks can still be found until they are evicted. Nothing happens if
        it is gone already."""
        record = self._state.records.get(id(entry))
        if record is not None:
            self._state.drop(record)

    def expired(self, now: float) -> list[E]:
        """Those who were cancelled or are late (`now` in Unix seconds), waiting or running: they are gone."""
        gone = [record for record in self._state.records.values() if _over(record.entry, now)]
        for record in gone:
            self._state.drop(record)
        return [record.entry for record in gone]

    def fork(self, parent: E, child: E) -> list[tuple[int, int]] | None:
        """A child runs on from what its running parent has computed, sharing the blocks.

        Gives the copy (source block, target block) of a partly filled last block; the next step carries it
        as well. None if the parent waits, or there is no block or place now: then `add` the child as
        `begun`; it finds its full blocks by their content.
        """
        if (parent.organisation, parent.adapter) != (child.organisation, child.adapter):
            raise ValueError("a fork stays with its organisation and adapter")
        record, state = self._state.running.get(id(parent)), self._state
        if record is None or len(state.running) >= self.limits.sequences:
            return None
        copies = state.tables.fork(parent, child)
        if copies is not None:
            child.cached = parent.cached
            chain = record.chain.branch(parent.computed // self.blocks.size)
            forked = Record(child, chain, record.rank, 0, charged=parent.computed, admitted=True)
            forked.since, forked.served = record.since, record.served
            state.records[id(child)] = state.running[id(child)] = forked
            state.shares.enter(child.organisation)
        return copies

    def shrink(self, step: Step[E]) -> list[E]:
        """The device ran out of memory in this step: the next ones are at most half as large, for a while.

        Gives those that cannot run even alone; they are gone. All others are planned again.
        """
        self._calm = 0
        self._state.tables.settle_copies(again=True)
        if len(step.pieces) == 1 and (step.pieces[0].entry.whole or step.pieces[0].count == 1):
            entry = step.pieces[0].entry
            self.finish(entry)
            return [entry]
        size = sum(piece.count for piece in step.pieces)
        self._budget = max(1, min(self._budget, size) // 2)
        return []

    def _under_way(self) -> tuple[list[Record[E]], list[Record[E]]]:
        """Running sequences that lack one token's keys, and those that lack more."""
        ready = [record for record in self._state.running.values() if record.entry.ready]
        left = [(record, record.remaining) for record in ready]
        return [record for record, count in left if count == 1], [
            record for record, count in left if count > 1
        ]

    def _texts_first(self) -> bool:
        """Whether texts choose before prompts do: the better class does, with a turn for the other now and
        then; equal ones alternate."""
        state = self._state
        texts = min(state.levels(state.texts, state.reading), default=None)
        prompts = min(state.levels(state.prompts, state.running), default=None)
        if texts is None or prompts is None:
            return texts is not None
        self._turn += 1
        if texts == prompts:
            return self._turn % 2 == 0
        return (texts < prompts) == (self._turn % BEHIND != 0)

    def _admits(self, decodes: Sequence[Record[E]], chunks: Sequence[Record[E]]) -> bool:
        """Whether to look for new prompts. While many decode, a few wait a little for others: to read each
        alone slows everyone's step."""
        state, limits = self._state, self.limits
        places = limits.sequences - len(state.running)
        if not len(state.prompts) or (places <= 0 and (decodes or chunks) and not state.urgent()):
            return False
        few = min(places, len(state.prompts)) < limits.together and 2 * len(decodes) >= limits.sequences
        if few and not chunks and state.held < limits.admission_steps:
            state.held += 1
            return False
        return True

    def _recover(self) -> None:
        self._calm += 1
        if self._calm >= RECOVERY_STEPS and self._budget < self.limits.step_tokens:
            self._budget, self._calm = min(2 * self._budget, self.limits.step_tokens), 0


def _over(entry: Entry, now: float) -> bool:
    return entry.cancelled or (entry.deadline is not None and now >= entry.deadline)
