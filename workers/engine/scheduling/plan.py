"""One plan: who gets a share of the next step."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Generic

from workers.engine.scheduling.entry import E, Piece, Step
from workers.engine.scheduling.record import Record
from workers.engine.scheduling.state import State, gives_way
from workers.engine.scheduling.waiting import Lineup, Waiting


class Plan(Generic[E]):
    """Fills `step` with up to `left` tokens. `blocked`: a prompt waits for blocks or a place."""

    def __init__(
        self,
        state: State[E],
        budget: int,
        now: float,
        resident: Callable[[E], bool],
        on_the_way: Container[str | None],
    ) -> None:
        self.step: Step[E] = Step(copies=state.tables.take_copies())
        self.left = budget
        self.blocked = False
        self.bucket: int | None = None
        self._state, self._now, self._resident = state, now, resident
        self._on_the_way = on_the_way
        self._absent: set[tuple[str | None, bool]] = (
            set()
        )  # adapters not there now, for new ones or begun ones

    # --- sequences ----------------------------------------------------------------------------------------

    def decode(self, records: Sequence[Record[E]]) -> None:
        """One token for each; when they are too many, for those who had none for longest."""
        if len(records) > self.left:
            records = sorted(records, key=lambda record: record.served)
        for record in records:
            if not self.left:
                return
            if id(record.entry) in self._state.running and self._make_room(record, 1):
                self._take(record, 1)

    def _make_room(self, record: Record[E], count: int) -> bool:
        """Blocks for its next tokens, by preempting if need be; False if it gave way itself."""
        state, tokens = self._state, record.entry.computed + count
        while state.tables.short(record.entry, tokens):
            if len(state.running) > 1:
                self._preempt(state.worst(state.running.values())[0])
            elif state.tables.settling:
                return False  # there will be more after the step
            else:
                self._fail(record)
            if id(record.entry) not in state.running:
                return False
        state.tables.grow(record.entry, tokens)
        return True

    def _fail(self, record: Record[E]) -> None:
        """It has grown beyond all blocks."""
        self._state.drop(record)
        self.step.failed.append(record.entry)

    def prompts(self, under_way: Iterable[Record[E]], admit: bool) -> None:
        """Chunks of prompts under way and, if told to `admit`, of new ones; small ones beside decoding."""
        decoding = any(not piece.entry.whole for piece in self.step.pieces)
        room = self._state.limits.chunk_tokens if decoding else self._state.limits.step_tokens
        lineup = self._lineup(under_way, self._state.prompts if admit else ())
        while self.left and room and (candidate := lineup.pop()):
            record, queue = candidate.record, candidate.queue
            if queue is not None:
                if self.blocked or not self._admit(record):
                    continue
                lineup.add_queue(queue)
            count = min(self.left, room, record.remaining)
            if id(record.entry) in self._state.running and self._make_room(record, count):
                self._take(record, count)
                room -= count

    def _admit(self, record: Record[E]) -> bool:
        """Seat a waiting sequence, in the place of lower ones if it must be."""
        state = self._state
        if state.tables.pool.needed(record.entry.known()) > state.tables.pool.count:
            self._fail(record)
            return False
        victims = self._victims(record)
        if victims is None:
            self.blocked = True
            return False
        if not self._is_resident(record):
            return False
        for victim in victims:
            self._preempt(victim)
        state.start(record, self._now)
        state.tables.seat(record, state.tables.match(record))
        state.held = 0
        return True

    def _victims(self, record: Record[E]) -> list[Record[E]] | None:
        """Whom to preempt so that it gets a place and its blocks, with one left for each who runs; None if
        those who give way to it do not suffice."""
        state, tables = self._state, self._state.tables
        places, found = state.limits.sequences - len(state.running), tables.match(record)
        blocks = tables.pool.available - tables.missing(record, found) - len(state.running)
        victims: list[Record[E]] = []
        if places > 0 and blocks >= 0:
            return victims
        seats, wanting = state.seats(), (record.entry.priority, record.entry.organisation)
        for victim in state.worst(state.running.values()):
            if not gives_way(victim, *wanting, seats):
                continue
            victims.append(victim)
            seats[victim.entry.organisation] -= 1
            places += 1
            blocks += tables.freed(victim.entry, found) + 1
            if places > 0 and blocks >= 0:
                return victims
        return None

    def _preempt(self, record: Record[E]) -> None:
        """Back to its queue; its piece leaves the step."""
        self._state.preempt(record)
        self.step.preempted.append(record.entry)
        self.left += sum(piece.count for piece in self.step.pieces if piece.entry is record.entry)
        self.step.pieces = [piece for piece in self.step.pieces if piece.entry is not record.entry]

    def unblock(self) -> None:
        """Nobody can go on, and waiting ones lack blocks: those who hold them give way, the worst first."""
        while self.blocked and not self.step.pieces and self._state.running:
            self._preempt(self._state.worst(self._state.running.values())[0])
            self.blocked = False
            self.prompts((), admit=True)

    # --- texts --------------------------------------------------------------------------------------------

    def texts(self, most: int) -> None:
        """Up to `most` texts of one length bucket. The very first piece of a step may exceed the budget:
        a text is read in one piece."""
        state = self._state
        again = [r for r in state.reading.values() if r.remaining and r.served != state.plans]
        lineup = self._lineup(again, state.texts)
        while most and self.left > 0 and (candidate := lineup.pop()):
            record, queue = candidate.record, candidate.queue
            if self.bucket not in (None, record.bucket):
                continue
            if record.remaining > self.left and self.step.pieces:
                return
            if queue is not None:
                if not self._is_resident(record):
                    continue
                state.start(record, self._now)
                lineup.add_queue(queue)
            self.bucket = record.bucket
            self._take(record, record.remaining)
            most -= 1

    # --- both ---------------------------------------------------------------------------------------------

    def _lineup(self, under_way: Iterable[Record[E]], queues: Waiting[E] | tuple[()]) -> Lineup[E]:
        state = self._state
        lineup: Lineup[E] = Lineup(state.shares, state.plans, self._now, state.limits.ageing_s)
        for record in under_way:
            lineup.add(record)
        for queue in queues:
            if queue.adapter in self._on_the_way:
                queue.seen(self._now)
            else:
                lineup.add_queue(queue)
        return lineup

    def _is_resident(self, record: Record[E]) -> bool:
        """Ask about each candidate once, and about an absent adapter once; one that gives
        way to others is there for who has begun."""
        key = record.entry.adapter, record.begun or record.admitted
        if key in self._absent:
            return False
        if self._resident(record.entry):
            return True
        self._absent.add(key)
        return False

    def _take(self, record: Record[E], count: int) -> None:
        self._state.serve(record, count, self._now)
        self.step.pieces.append(Piece(record.entry, record.entry.computed, count))
        self.left = max(0, self.left - count)
