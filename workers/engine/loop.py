"""The engine thread: takes what was submitted, asks the scheduler for a step, runs it, hands out the results."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from workers.engine.generation.request import Generation, Reading
from workers.engine.generation.step import settle
from workers.engine.metrics import Metrics
from workers.engine.protocol import EngineBusy, EngineError, EngineTimeout
from workers.engine.residency import Residency
from workers.engine.runner import PreparedAdapter, Runner
from workers.engine.scheduling.entry import Step
from workers.engine.scheduling.scheduler import Scheduler
from workers.engine.threads import compute_alone

logger = logging.getLogger(__name__)

Entry = Generation | Reading
LOOK_AGAIN_S = 0.005  # while what waits needs an adapter that is on its way
READERS = 8  # threads that read adapters, at most; half the cores, so that the step has the others
SWITCH_S = 0.0005  # that another thread keeps the interpreter while a step wants it
TIDY_S = 1.0  # between looks, while idle, for adapters that left


class EngineLoop:
    """One thread that alone touches the device. `submit` and the counters may be used from any thread."""

    def __init__(
        self,
        runner: Runner,
        scheduler: Scheduler[Entry],
        slots: int,
        adapter_bytes: int,
        threads: int | None,
    ) -> None:
        self.metrics = Metrics()
        self.scheduler = scheduler
        self.residency: Residency[PreparedAdapter] = Residency(
            runner.read,
            runner.place,
            runner.clear,
            slots,
            adapter_bytes,
            self.wake,
            arrived=runner.arrived,
            readers=min(READERS, max(1, len(os.sched_getaffinity(0)) // 2)),
            reader=compute_alone,
            keep=runner.keep,
        )
        self._runner, self._threads = runner, threads
        self._lock = threading.Condition()
        self._inbox: deque[Entry] = deque()
        self._occupancy = (0, 0)  # running, waiting, as of the last step
        self._held: dict[Entry, int] = {}  # device slot of each entry's adapter
        self._grown: list[Generation] = []  # those whose newest text was not told
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    # --- any thread ---------------------------------------------------------------------------------------

    def submit(self, entries: Sequence[Entry]) -> None:
        """Queue work. Raises `EngineError` when closed or the adapter is unknown, `EngineBusy` when full."""
        with self._lock:
            if self._closed:
                raise EngineError("the engine is closed")
            queued, most = len(self._inbox) + self._occupancy[1], self.scheduler.limits.waiting
            if queued + len(entries) > most:
                raise EngineBusy(f"{queued} requests are waiting, at most {most} may")
            for count, entry in enumerate(entries):
                try:
                    self._want(entry)
                except EngineError:
                    for other in entries[:count]:
                        self._unwant(other)
                    raise
            self._inbox.extend(entries)
            self._lock.notify()

    def occupancy(self) -> tuple[int, int]:
        """(running, waiting) now."""
        with self._lock:
            running, waiting = self._occupancy
            return running, waiting + len(self._inbox)

    def close(self) -> None:
        """Fail what is in flight and stop the thread."""
        with self._lock:
            self._closed = True
            self._lock.notify()
        self._thread.join()
        self.residency.close()

    def wake(self) -> None:
        """There may be something to do."""
        with self._lock:
            self._lock.notify()

    def _want(self, entry: Entry) -> None:
        if entry.adapter is not None:
            self.residency.want(entry.adapter)

    def _unwant(self, entry: Entry) -> None:
        if entry.adapter is not None:
            self.residency.unwant(entry.adapter)

    # --- the engine thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        sys.setswitchinterval(SWITCH_S)
        if self._threads is not None:
            torch.set_num_threads(self._threads)  # of this thread, and of those made later
        with torch.inference_mode():
            while self._take_inbox():
                try:
                    self._step()
                except Exception as error:  # nothing may end the thread: requests would wait for ever
                    logger.exception("the engine's loop failed")
                    self._fail(self.scheduler.entries, error)
        self._fail([*self.scheduler.entries, *self._inbox], EngineError("the engine was closed"))

    def _take_inbox(self) -> bool:
        """Wait until there is something to do; False when closed."""
        with self._lock:
            while not (self._closed or self._inbox or not self.scheduler.idle):
                try:
                    self.residency.sweep()
                except Exception:  # nobody is waiting: nobody must hear of it
                    logger.exception("tidying up adapters failed")
                self._lock.wait(TIDY_S)
            entries = list(self._inbox)
            self._inbox.clear()
        for entry in entries:
            self._add(entry)
        return not self._closed

    def _add(self, entry: Entry, begun: bool = False) -> None:
        """Queue it; what belongs to a request that has `begun` is neither refused nor counted."""
        try:
            self.scheduler.add(entry, begun)
            self.metrics.requests += isinstance(entry, Generation) and not begun
        except EngineError as error:
            self._fail([entry], error)

    def _step(self) -> None:
        self.residency.sweep()
        now = time.time()
        for entry in self.scheduler.expired(now):
            self._answer_ended(entry)
        before = set(self._held)
        step = self.scheduler.plan(now, self._resident, self.residency.absent())
        self._let_go(before, step)
        self._occupancy = (self.scheduler.running, self.scheduler.waiting)
        if step is None:
            self._tell()
            if self._runner.settle():
                return  # now it can begin
            with self._lock:
                if not (self._inbox or self._closed or self.scheduler.idle):
                    self._lock.wait(LOOK_AGAIN_S)
            return
        self._fail(step.failed, EngineError("it has grown beyond the key-value cache"))
        self._run_step(step)
        self._occupancy = (self.scheduler.running, self.scheduler.waiting)

    def _resident(self, entry: Entry) -> bool:
        """Whether the entry's adapter is in a slot, which it then holds until the entry ends."""
        if entry.adapter is None or entry in self._held:
            return True
        try:
            slot = self.residency.hold(entry.adapter, begun=entry.first_read is not None)
        except Exception as error:
            if not isinstance(error, EngineError):
                logger.exception("adapter %s could not be put on the device", entry.adapter)
                error = EngineError(f"adapter {entry.adapter} could not be put on the device")
            entry.ticket.failure = error
            entry.ticket.cancelled = True  # the next look for expired ones finds it
            return False
        if slot is not None:
            self._held[entry] = slot
        return slot is not None

    def _let_go(self, before: set[Entry], step: Step[Entry] | None) -> None:
        """Those that were given a slot and then no place in the step hold nothing, nor do preempted ones."""
        planned = {piece.entry for piece in step.pieces} if step else set()
        unplanned = [e for e in self._held if e not in before and e not in planned and not e.blocks]
        preempted = step.preempted if step else []
        self.metrics.preemptions += len(preempted)
        for entry in {*unplanned, *preempted}:
            self._unhold(entry)

    def _run_step(self, step: Step[Entry]) -> None:
        started = time.perf_counter()
        for piece in step.pieces:
            self._begin(piece.entry)
        try:
            self._runner.copy(step.copies)
            outcome = self._runner.run(step.pieces, self._held, meanwhile=self._tell)
        except Exception as error:
            self._recover(step, error)
            return
        self.scheduler.done(step)
        for reading, rows in outcome.readings:
            self._leave(reading)
            reading.result.set_result(rows)
        self.metrics.texts += len(outcome.readings)
        tokens = self._settle(outcome.logits, outcome.sampled) if outcome.sampled else 0
        self.metrics.step(time.perf_counter() - started, len(step.pieces), tokens)

    def _begin(self, entry: Entry) -> None:
        if entry.first_read is None:
            entry.started()
            if isinstance(entry, Generation):
                self.metrics.prompt_tokens += len(entry.prompt)

    def _recover(self, step: Step[Entry], error: Exception) -> None:
        """Memory that ran out asks for smaller steps; any other error ends the requests it concerns."""
        self.metrics.errors += 1
        if _out_of_memory(error):
            logger.warning("a step of %d pieces ran out of memory", len(step.pieces))
            self._fail(self.scheduler.shrink(step), EngineError("the device has too little memory for it"))
        else:
            logger.exception("a step of the engine failed")
            self._fail({piece.entry for piece in step.pieces}, error)

    def _settle(self, logits: Tensor, sampled: list[Generation]) -> int:
        """Next tokens; what they begin and end. How many there are. Their text is told while the next step runs."""
        last = [generation.last_token for generation in sampled]
        try:
            progress = settle(logits, sampled)
        except Exception as error:
            logger.exception("choosing tokens failed")
            self._fail(sampled, EngineError(f"choosing tokens failed ({type(error).__name__})"))
            return 0
        for beam in progress.dropped:
            self._leave(beam)
        for parent, child in progress.forks:
            self._fork(parent, child)
        for generation in progress.finished:
            self._leave(generation)
        self._grown += progress.grown
        self._time(sampled, last)
        return progress.tokens

    def _tell(self) -> None:
        grown, self._grown = self._grown, []
        for generation in grown:
            generation.tell()

    def _fork(self, parent: Generation, child: Generation) -> None:
        """The child runs on beside its parent, or, when there is no memory, waits for its turn. What goes
        wrong ends their request alone."""
        if child.adapter is not None:
            self.residency.share(child.adapter)
        try:
            if self.scheduler.fork(parent, child) is None:
                self._add(child, begun=True)
            elif not self._resident(child):  # the parent's adapter is in its slot
                raise EngineError(f"adapter {child.adapter} is no longer on the device")
        except Exception as error:
            logger.exception("a reply could not be forked")
            self._fail([child], error)

    def _time(self, sampled: list[Generation], last: list[float | None]) -> None:
        for generation, before in zip(sampled, last, strict=True):
            now = generation.last_token
            if now is not None and before is not None:
                self.metrics.token((now - before) * 1000)
            elif now is not None:
                self.metrics.first_token_ms.add((now - generation.arrived) * 1000)

    # --- ends ---------------------------------------------------------------------------------------------

    def _unhold(self, entry: Entry) -> None:
        if self._held.pop(entry, None) is not None and entry.adapter is not None:
            self.residency.release(entry.adapter)

    def _leave(self, entry: Entry) -> None:
        """The entry is over: blocks, slot and adapter are others' now."""
        self.scheduler.finish(entry)
        self._unhold(entry)
        self._unwant(entry)

    def _fail(self, entries: Iterable[Entry], error: Exception) -> None:
        """End entries with an error; those of the same request follow by themselves."""
        own = isinstance(error, EngineError)  # others may quote what somebody wrote
        shown = error if own else EngineError(f"the engine failed in a step ({type(error).__name__})")
        for entry in list(entries):
            self._leave(entry)
            entry.fail(shown)

    def _answer_ended(self, entry: Entry) -> None:
        """Answer an entry that was cancelled or is late; the scheduler has let go of it."""
        self._leave(entry)
        failure = entry.ticket.failure
        if failure is not None or not entry.cancelled:
            entry.fail(failure or EngineTimeout("the deadline passed"))
        elif isinstance(entry, Generation):
            entry.finish("cancelled")
        else:
            entry.fail(EngineError("cancelled"))


def _out_of_memory(error: Exception) -> bool:
    """CUDA has an exception of its own; torch's CPU allocator only a message."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    )
