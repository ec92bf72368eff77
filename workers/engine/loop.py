"""The engine thread: takes what was submitted, asks the scheduler for a step, runs it, hands out the
results."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from models_zoo.llm.adapter import LoadedAdapter
from workers.engine.protocol import EngineBusy, EngineError, EngineTimeout
from workers.engine.requests import Generation, Reading
from workers.engine.runner import Runner
from workers.engine.scheduler import Decode, Limits, Prefill, Read, Scheduler
from workers.engine.slots import SlotTable

logger = logging.getLogger(__name__)

RATE_WINDOW = 10.0  # seconds of decoding that the published rate covers


@dataclass(slots=True)
class Counters:
    """Since start. Written by the engine thread alone."""

    requests: int = 0
    generated_tokens: int = 0
    prompt_tokens: int = 0
    texts: int = 0
    errors: int = 0


class EngineLoop:
    """One thread that alone touches the device. `submit` and the adapter table may be used from any
    thread."""

    def __init__(
        self, runner: Runner, limits: Limits, slots: int, control: frozenset[int], threads: int | None
    ) -> None:
        self.counters = Counters()
        self.limits = limits
        self._runner = runner
        self._control = control
        self._threads = threads
        self._scheduler: Scheduler[Generation, Reading] = Scheduler(limits)
        self.slots = SlotTable(slots)
        self._lock = threading.Condition()
        self._inbox: deque[Generation | Reading] = deque()
        self._adapters: dict[str, LoadedAdapter] = {}
        self._references: dict[str, int] = {}
        self._leaving: set[str] = set()
        self._closed = False
        self._steps: deque[tuple[float, float, int]] = deque()  # decode steps: end, seconds, tokens
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    # --- any thread ---------------------------------------------------------------------------------------

    def submit(self, entries: Sequence[Generation | Reading]) -> None:
        """Queue work. Raises `EngineError` when closed or the adapter is unknown, `EngineBusy` when full."""
        with self._lock:
            self._check(entries)
            for entry in entries:
                if entry.adapter is not None:
                    self._references[entry.adapter] = self._references.get(entry.adapter, 0) + 1
            self._inbox.extend(entries)
            self._lock.notify()

    def _check(self, entries: Sequence[Generation | Reading]) -> None:
        if self._closed:
            raise EngineError("the engine is closed")
        for name in {entry.adapter for entry in entries} - {None}:
            if name not in self._adapters or name in self._leaving:
                raise EngineError(f"adapter {name} is not loaded")
        queued = len(self._inbox) + len(self._scheduler.waiting) + len(self._scheduler.texts)
        if queued + len(entries) > self.limits.waiting:
            raise EngineBusy(f"{queued} requests are waiting, at most {self.limits.waiting} may")

    def adapter(self, name: str) -> LoadedAdapter:
        """A loaded adapter, or `EngineError`."""
        with self._lock:
            if name not in self._adapters or name in self._leaving:
                raise EngineError(f"adapter {name} is not loaded")
            return self._adapters[name]

    def add_adapter(self, name: str, adapter: LoadedAdapter) -> None:
        """Make an adapter available. It takes a device slot when it is first used."""
        with self._lock:
            self._leaving.discard(name)
            self._adapters.setdefault(name, adapter)

    def remove_adapter(self, name: str) -> None:
        """Refuse new requests for the adapter, and forget it when the last one in flight is done."""
        with self._lock:
            if name not in self._adapters:
                raise EngineError(f"adapter {name} is not loaded")
            self._leaving.add(name)
            self._lock.notify()

    def adapters(self) -> dict[str, tuple[LoadedAdapter, int | None, int]]:
        """Name -> (adapter, device slot, requests using it)."""
        with self._lock:
            return {
                name: (adapter, self.slots.slot(name), self._references.get(name, 0))
                for name, adapter in self._adapters.items()
                if name not in self._leaving
            }

    def occupancy(self) -> tuple[int, int]:
        """(running, waiting) now."""
        with self._lock:
            waiting = len(self._inbox) + len(self._scheduler.waiting) + len(self._scheduler.texts)
            return len(self._scheduler.running), waiting

    def rate(self) -> float:
        """Generated tokens per second of decoding, over the last seconds of it."""
        steps = list(self._steps)
        seconds = sum(duration for _, duration, _ in steps)
        return sum(tokens for *_, tokens in steps) / seconds if seconds else 0.0

    def close(self) -> None:
        """Fail what is in flight and stop the thread."""
        with self._lock:
            self._closed = True
            self._lock.notify()
        self._thread.join()

    # --- the engine thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        if self._threads is not None:
            torch.set_num_threads(self._threads)  # OpenMP keeps this per thread
        with torch.inference_mode():
            while self._take_inbox():
                self._guarded(self._step, lambda: list(self._scheduler.running))
        self._fail_all(EngineError("the engine was closed"))

    def _take_inbox(self) -> bool:
        """Wait until there is something to do; False when closed."""
        with self._lock:
            while not (self._closed or self._inbox or self._leaving or not self._scheduler.idle):
                self._lock.wait()
            entries = list(self._inbox)
            self._inbox.clear()
            self._forget_unused()
        for entry in entries:
            if isinstance(entry, Generation):
                self.counters.requests += 1
                self._scheduler.add(entry)
            else:
                self._scheduler.add_text(entry)
        return not self._closed

    def _forget_unused(self) -> None:
        for name in [name for name in self._leaving if not self._references.get(name)]:
            self._leaving.remove(name)
            del self._adapters[name]
            self.slots.remove(name)

    def _step(self) -> None:
        now = time.time()
        for entry in self._scheduler.expired(now):
            self._unreference(entry)
            _answer_ended(entry)
        for request in [request for request in self._scheduler.running if _over(request, now)]:
            self._retire(request)
            _answer_ended(request)
        step = self._scheduler.plan(self._admit)
        if isinstance(step, Prefill):
            self._guarded(lambda: self._prefill(step.requests), lambda: step.requests)
        elif isinstance(step, Decode):
            self._guarded(lambda: self._decode(step.requests), lambda: step.requests)
        elif isinstance(step, Read):
            self._guarded(lambda: self._read(step.texts), lambda: step.texts)

    def _admit(self, adapters: list[str | None]) -> int:
        """Pin adapters from the front as far as slots reach, placing weights where needed."""
        for count, name in enumerate(adapters):
            pinned = (0, False) if name is None else self.slots.pin(name)
            if pinned is None:
                return count
            if pinned[1] and name is not None:
                self._runner.place(pinned[0], self._adapters[name])
        return len(adapters)

    def _prefill(self, requests: list[Generation]) -> None:
        for request in requests:
            request.lora_slot = self._lora_slot(request)
        self.counters.prompt_tokens += sum(request.cost for request in requests)
        self._accept(requests, self._runner.prefill(requests))

    def _decode(self, requests: list[Generation]) -> None:
        started = time.perf_counter()
        tokens = self._runner.decode(requests)
        self._record(started, len(requests))
        self._accept(requests, tokens)

    def _accept(self, requests: list[Generation], tokens: list[int]) -> None:
        self.counters.generated_tokens += len(tokens)
        for request, token in zip(requests, tokens, strict=True):
            if request.accept(token, token in self._control) is not None:
                self._retire(request)

    def _read(self, texts: list[Reading]) -> None:
        for text in texts:
            text.lora_slot = self._lora_slot(text)
        results = self._runner.read(texts)
        self.counters.texts += len(texts)
        for text, result in zip(texts, results, strict=True):
            self._release(text)
            text.result.set_result(result)

    def _lora_slot(self, entry: Generation | Reading) -> int:
        return 0 if entry.adapter is None else self.slots.slot(entry.adapter) or 0

    def _retire(self, request: Generation) -> None:
        """Take a running request out; the last slot's sequence moves into its place."""
        move = self._scheduler.finish(request)
        if move is not None:
            moved = self._scheduler.running[move.target]
            self._runner.move(move.source, move.target, moved.position + 1)
        self._release(request)

    def _release(self, entry: Generation | Reading) -> None:
        """The entry no longer keeps its adapter in its slot, nor loaded."""
        if entry.adapter is not None:
            self.slots.unpin(entry.adapter)
            self._unreference(entry)

    def _unreference(self, entry: Generation | Reading) -> None:
        if entry.adapter is not None:
            with self._lock:
                self._references[entry.adapter] -= 1

    def _guarded(
        self, action: Callable[[], None], affected: Callable[[], Sequence[Generation | Reading]]
    ) -> None:
        """Run a part of a step; an error ends the requests it concerns and never the thread."""
        try:
            action()
        except Exception as error:
            logger.exception("a step of the engine failed")
            self.counters.errors += 1
            # from the last slot down, so that no sequence outside the failed step has to move
            for entry in reversed(list(affected())):
                self._abandon(entry, error)

    def _abandon(self, entry: Generation | Reading, error: Exception) -> None:
        if isinstance(entry, Generation):
            if entry not in self._scheduler.running:
                return
            self._scheduler.finish(entry)
        elif entry.result.done():
            return
        self._release(entry)
        entry.fail(EngineError(f"{type(error).__name__}: {error}"))

    def _fail_all(self, error: EngineError) -> None:
        for entry in [
            *self._scheduler.running,
            *self._scheduler.waiting,
            *self._scheduler.texts,
            *self._inbox,
        ]:
            entry.fail(error)

    def _record(self, started: float, tokens: int) -> None:
        now = time.perf_counter()
        self._steps.append((now, now - started, tokens))
        while self._steps and self._steps[0][0] < now - RATE_WINDOW:
            self._steps.popleft()


def _over(request: Generation, now: float) -> bool:
    return request.cancelled or (request.deadline is not None and now >= request.deadline)


def _answer_ended(entry: Generation | Reading) -> None:
    """Answer an entry that was cancelled or is late."""
    if not entry.cancelled:
        entry.fail(EngineTimeout("the deadline passed"))
    elif isinstance(entry, Generation):
        entry.finish("cancelled")
    else:
        entry.fail(EngineError("cancelled"))
