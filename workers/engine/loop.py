"""The engine thread: takes what was submitted, asks the scheduler for a step, runs it, hands out the results."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import torch

from workers.engine.generation.request import Generation, Reading
from workers.engine.generation.sampling import choose
from workers.engine.metrics import Metrics
from workers.engine.protocol import EngineBusy, EngineError, EngineTimeout
from workers.engine.residency import Residency
from workers.engine.runner import Outcome, PreparedAdapter, Runner
from workers.engine.scheduling.scheduler import Scheduler, Step

logger = logging.getLogger(__name__)

Entry = Generation | Reading
LOOK_AGAIN_S = 0.005  # while what waits needs an adapter that is on its way


class EngineLoop:
    """One thread that alone touches the device. `submit` and the counters may be used from any thread."""

    def __init__(
        self,
        runner: Runner,
        scheduler: Scheduler,
        control: frozenset[int],
        slots: int,
        adapter_bytes: int,
        waiting: int,
        threads: int | None,
    ) -> None:
        self.metrics = Metrics()
        self.scheduler = scheduler
        self.residency: Residency[PreparedAdapter] = Residency(
            runner.read, runner.place, runner.clear, slots, adapter_bytes, self._wake
        )
        self._runner, self._control, self._threads = runner, control, threads
        self._most_waiting = waiting
        self._lock = threading.Condition()
        self._inbox: deque[Entry] = deque()
        self._held: dict[Entry, int] = {}  # device slot of each entry's adapter
        self._failures: dict[Entry, EngineError] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    # --- any thread ---------------------------------------------------------------------------------------

    def submit(self, entries: Sequence[Entry]) -> None:
        """Queue work. Raises `EngineError` when closed or the adapter is unknown, `EngineBusy` when full."""
        with self._lock:
            if self._closed:
                raise EngineError("the engine is closed")
            queued = len(self._inbox) + self.scheduler.waiting
            if queued + len(entries) > self._most_waiting:
                raise EngineBusy(f"{queued} requests are waiting, at most {self._most_waiting} may")
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
            return self.scheduler.running, len(self._inbox) + self.scheduler.waiting

    def close(self) -> None:
        """Fail what is in flight and stop the thread."""
        with self._lock:
            self._closed = True
            self._lock.notify()
        self._thread.join()
        self.residency.close()

    def _wake(self) -> None:
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
        if self._threads is not None:
            torch.set_num_threads(self._threads)  # OpenMP keeps this per thread
        with torch.inference_mode():
            while self._take_inbox():
                try:
                    self._step()
                except Exception as error:  # nothing may end the thread: requests would wait for ever
                    logger.exception("the engine's loop failed")
                    self._fail_everything(error)
        self._fail_everything(EngineError("the engine was closed"))

    def _take_inbox(self) -> bool:
        """Wait until there is something to do; False when closed."""
        with self._lock:
            while not (self._closed or self._inbox or not self.scheduler.idle):
                self._lock.wait(1.0)
                self.residency.sweep()
            entries = list(self._inbox)
            self._inbox.clear()
        for entry in entries:
            self._add(entry)
        return not self._closed

    def _add(self, entry: Entry) -> None:
        try:
            self.scheduler.add(entry)
        except EngineError as error:
            self._end(entry, error)

    def _step(self) -> None:
        self.residency.sweep()
        now = time.time()
        for entry in self.scheduler.expired(now):
            self._end_early(entry)
        before = set(self._held)
        step = self.scheduler.plan(now, self._resident)
        self._let_go(before, step)
        if step is None:
            with self._lock:
                if not (self._inbox or self._closed or self.scheduler.idle):
                    self._lock.wait(LOOK_AGAIN_S)
            return
        self._run_step(step)

    def _resident(self, entry: Entry) -> bool:
        """Whether the entry's adapter is in a slot, which it then holds until the entry ends."""
        if entry.adapter is None or entry in self._held:
            return True
        try:
            slot = self.residency.hold(entry.adapter)
        except EngineError as error:
            self._failures[entry], entry.cancelled = error, True  # the next look for expired ones finds it
            return False
        if slot is not None:
            self._held[entry] = slot
        return slot is not None

    def _let_go(self, before: set[Entry], step: Step | None) -> None:
        """Those that were given a slot and then no place in the step hold nothing, nor do preempted ones."""
        planned = {piece.entry for piece in step.pieces} if step else set()
        for entry in [entry for entry in self._held if entry not in before and entry not in planned]:
            self._release(entry)
        for entry in step.preempted if step else ():
            self._release(entry)
