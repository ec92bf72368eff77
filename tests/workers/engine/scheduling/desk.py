"""A fake device, whose answers depend on every key it reads, and a small loop around the scheduler."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from workers.engine.protocol import EngineBusy
from workers.engine.scheduling import BlockPool, Limits, Piece, Scheduler, Step

VOCABULARY = 50
_arrivals = count()


@dataclass(eq=False)
class Job:
    """A sequence that writes `limit` tokens, or a text (`whole`)."""

    prompt: list[int]
    limit: int = 1
    organisation: str = "a"
    adapter: str | None = None
    priority: int = 0
    deadline: float | None = None
    whole: bool = False
    seed: int = 0
    arrived: float = field(default_factory=lambda: float(next(_arrivals)))
    cancelled: bool = False
    ready: bool = True
    blocks: list[int] = field(default_factory=list)
    computed: int = 0
    cached: int = 0
    generated: list[int] = field(default_factory=list)
    ended: str = ""
    ended_at: int = 0

    def known(self) -> int:
        return len(self.prompt) + len(self.generated)

    def tokens(self, start: int, stop: int) -> list[int]:
        return (self.prompt + self.generated)[start:stop]

    def child(self, seed: int) -> Job:
        """A copy of all it has said so far, that draws other tokens from here on."""
        return Job(
            list(self.prompt), self.limit, self.organisation, self.adapter, self.priority, seed=seed,
            generated=list(self.generated),
        )  # fmt: skip


def key(job: Job, token: int, before: Sequence[int]) -> int:
    """What the device writes for a token: it depends on all keys before it, and on whose they are."""
    return zlib.crc32(repr((job.organisation, job.adapter, token, list(before))).encode())


def draw(job: Job, last: int) -> int:
    return (last + job.seed) % VOCABULARY


def alone(job: Job, begun: int) -> list[int]:
    """What the job writes after `begun` given tokens when nobody else is there."""
    tokens = (job.prompt + job.generated)[: len(job.prompt) + begun]
    keys: list[int] = []
    while len(tokens) < len(job.prompt) + job.limit:
        for token in tokens[len(keys) :]:
            keys.append(key(job, token, keys))
        tokens.append(draw(job, keys[-1]))
    return tokens[len(job.prompt) :]


class Device:
    """Block memory. A step larger than `room` tokens finds no memory, when all is
    written; one of twice that, before anything is."""

    def __init__(self, blocks: int, size: int) -> None:
        self.size, self.room = size, 10**9
        self.memory = [[-1] * size for _ in range(blocks)]

    def forward(self, step: Step[Job]) -> list[int]:
        """Each piece's last key. All read what was there before the step, and their own."""
        if sum(piece.count for piece in step.pieces) > 2 * self.room:
            raise MemoryError
        for source, target in step.copies:
            self.memory[target] = list(self.memory[source])
        rows = [self._run(piece) for piece in step.pieces]
        written: set[tuple[int, int]] = set()
        for piece, keys in zip(step.pieces, rows, strict=True):
            for position, value in enumerate(keys, piece.start) if not piece.entry.whole else ():
                cell = piece.entry.blocks[position // self.size], position % self.size
                assert cell not in written
                written.add(cell)
                self.memory[cell[0]][cell[1]] = value
        if sum(piece.count for piece in step.pieces) > self.room:
            raise MemoryError
        return [keys[-1] for keys in rows]

    def _run(self, piece: Piece[Job]) -> list[int]:
        job = piece.entry
        before = [self.memory[job.blocks[p // self.size]][p % self.size] for p in range(piece.start)]
        for token in job.tokens(piece.start, piece.start + piece.count):
            before.append(key(job, token, before))
        return before[piece.start :]


class Desk:
    """The engine's loop in small: `slots` adapters at once, of which `fetching` are not here yet."""

    def __init__(self, limits: Limits, blocks: int = 64, size: int = 4, slots: int = 2) -> None:
        self.limits, self.pool, self.slots = limits, BlockPool(blocks, size), slots
        self.scheduler: Scheduler[Job] = Scheduler(limits, self.pool)
        self.device = Device(blocks, size)
        self.holds: dict[Job, str] = {}
        self.fetching: set[str] = set()
        self.told = True  # the scheduler is told of them, or has to ask
        self.jobs: dict[Job, int] = {}  # -> tokens it had written when it came
        self.branching: dict[Job, int] = {}  # to fork at their next token, with this seed
        self.steps = 0
        self.now = 0.0
        self.asked: list[Job] = []

    def add(self, job: Job) -> Job:
        """Queue a job; a full queue ends it."""
        self.jobs[job] = len(job.generated)
        try:
            self.scheduler.add(job)
        except EngineBusy:
            self._end(job, "busy")
        return job

    def resident(self, job: Job) -> bool:
        assert job not in self.asked, "asked twice in one plan"
        assert job not in self.holds
        self.asked.append(job)
        if job.adapter is None:
            return True
        if job.adapter in self.fetching:
            return False
        used = set(self.holds.values())
        if job.adapter not in used and len(used) >= self.slots:
            return False
        self.holds[job] = job.adapter
        return True

    def step(self) -> Step[Job] | None:
        """One turn of the loop."""
        self.steps += 1
        self.now += 0.01
        self.asked = []
        for job in self.scheduler.expired(self.now):
            self._end(job, "cancelled" if job.cancelled else "late")
        step = self.scheduler.plan(self.now, self.resident, self.fetching if self.told else ())
        if step is None:
            return None
        for job in step.preempted:
            self.holds.pop(job, None)
        for job in step.failed:
            self._end(job, "failed")
        self.check(step)
        try:
            rows = self.device.forward(step)
        except MemoryError:
            for job in self.scheduler.shrink(step):
                self._end(job, "failed")
            return step
        self.scheduler.done(step)
        for piece, row in zip(step.pieces, rows, strict=True):
            if piece.start + piece.count == piece.entry.known():
                self._accept(piece.entry, row)
        return step

    def _accept(self, job: Job, row: int) -> None:
        if job.whole:
            assert row == alone_text(job)
        else:
            if job in self.branching:
                self._branch(job, row)
            job.generated.append(draw(job, row))
        if job.whole or len(job.generated) >= job.limit:
            self.scheduler.finish(job)
            self._end(job, "done")

    def _branch(self, job: Job, row: int) -> None:
        """Another token from the same row, by a child."""
        child = job.child(self.branching.pop(job))
        forked = self.scheduler.fork(job, child) is not None
        self.jobs[child] = len(child.generated)
        child.generated.append(draw(child, row))
        if len(child.generated) >= child.limit:
            self.scheduler.finish(child)
            self._end(child, "done")
        elif not forked:
            self.scheduler.add(child, begun=True)
        elif child.adapter:
            self.holds[child] = child.adapter

    def fork(self, job: Job, seed: int) -> Job | None:
        """A child between two steps."""
        child = job.child(seed)
        if self.scheduler.fork(job, child) is None:
            return None
        self.jobs[child] = len(child.generated)
        if child.adapter:
            self.holds[child] = child.adapter
        return child

    def _end(self, job: Job, how: str) -> None:
        assert not job.ended
        job.ended, job.ended_at = how, self.steps
        self.holds.pop(job, None)

    def run(self, most: int = 10_000) -> int:
        """Until nothing is left; the number of steps."""
        begun = self.steps
        while not self.scheduler.idle:
            assert self.steps - begun < most, f"{self.scheduler.waiting} wait, {self.scheduler.running} run"
            self.step()
        return self.steps - begun

    def check(self, step: Step[Job]) -> None:
        """Budgets of a step, and that nobody writes where another reads."""
        limits, pieces = self.limits, step.pieces
        assert sum(piece.count for piece in pieces) <= limits.step_tokens or len(pieces) == 1
        chunks = [piece for piece in pieces if piece.count > 1 and not piece.entry.whole]
        decoding = any(len(piece.entry.generated) and piece.count == 1 for piece in pieces)
        assert not decoding or sum(piece.count for piece in chunks) <= limits.chunk_tokens
        assert sum(piece.entry.whole for piece in pieces) <= limits.step_texts
        assert len({id(piece.entry) for piece in pieces}) == len(pieces)
        for piece in pieces:
            job = piece.entry
            assert piece.count > 0
            assert job.ready
            assert piece.start == job.computed
            assert job.adapter is None or self.holds[job] == job.adapter
            size, stop = self.pool.size, piece.start + piece.count
            written = [] if job.whole else job.blocks[piece.start // size : -(-stop // size)]
            copied = list(self.scheduler._state.tables._taken.values())  # held, besides, for the copy
            assert all(self.pool.references(block) - copied.count(block) == 1 for block in written)
            assert job.whole or stop <= len(job.blocks) * size
        gone = {id(job) for job in [*step.preempted, *step.failed]}
        assert not gone & {id(piece.entry) for piece in pieces}
        assert not gone & {id(job) for job in self.holds}

    def check_blocks(self) -> None:
        """References are exact, and a block is shared within one organisation and adapter only."""
        entries = self.scheduler.entries
        referred = [block for job in entries for block in job.blocks]
        pending = [
            *self.scheduler._state.tables._copies.values(),
            *self.scheduler._state.tables._taken.values(),
        ]
        for block in range(self.pool.count):
            assert self.pool.references(block) == referred.count(block) + pending.count(block)
            assert len({(job.organisation, job.adapter) for job in entries if block in job.blocks}) <= 1
        assert self.pool.used == len({*referred, *pending})
        assert sum(bool(job.blocks) for job in entries) <= self.limits.sequences

    def check_ends(self) -> None:
        """Nothing leaks, and everyone wrote what he would have written alone."""
        assert self.pool.used == 0
        assert not self.holds
        assert all(job.ended for job in self.jobs)
        for job, begun in self.jobs.items():
            if job.ended == "done" and not job.whole:
                assert job.generated == alone(job, begun)


def alone_text(job: Job) -> int:
    keys: list[int] = []
    for token in job.prompt:
        keys.append(key(job, token, keys))
    return keys[-1]
