"""Where every adapter is: on the device, in host memory, or on disk alone. Any thread may ask; one loads.

Weights are prepared for the device away from the engine thread; putting a prepared adapter into a slot is quick,
so that requests which are being answered never wait for one that comes from disk. Host memory has a budget in
bytes: the least recently used adapter that nobody uses, and nobody pinned, leaves first and is read from its
folder again when it is asked for. After S-LoRA (Sheng et al., 2023). Nobody keeps others out: see `Turns`.

A name means one content for ever: prefix cache and audit records name adapters by it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic

from models_zoo.llm.card import AdapterCard, AdapterError, adapter_digest
from workers.engine.catalogue import Catalogue
from workers.engine.known import Known, Signature, Weights, signature
from workers.engine.pins import Pins
from workers.engine.protocol import AdapterResidency, EngineError
from workers.engine.room import Room
from workers.engine.turns import Turns

logger = logging.getLogger(__name__)

PATIENCE_S = 5.0  # that an adapter waits for a slot or memory before others give way
FORGOTTEN_S = 3600.0  # unused on disk for so long, an adapter is known no more
TIDY_S = 60.0  # between looks for those


class Residency(Generic[Weights]):
    """Adapters by name, in three tiers.

    `read(folder)` verifies and prepares an adapter, in any thread; `place(slot, weights)` and `clear(slot)` are
    called within `hold` and `sweep`, which are the engine thread's. A placed adapter is held from when its slot has
    `arrived(slot)`: the engine goes on with others meanwhile. `changed()` is called when an adapter was
    registered, has arrived in memory, or failed to. `readers` threads read, each of which begins with `reader()`.
    `keep(folder, weights)` leaves an adapter on disk in a form that is read sooner, see `kept`, and returns what does.
    """

    def __init__(
        self,
        read: Callable[[Path], Weights],
        place: Callable[[int, Weights], None],
        clear: Callable[[int], None],
        slots: int,
        memory_bytes: int,
        changed: Callable[[], None],
        arrived: Callable[[int], bool] = lambda slot: True,
        readers: int = 1,
        reader: Callable[[], object] = lambda: None,
        keep: Callable[[Path, Weights], Callable[[], Weights] | None] = lambda folder, weights: None,
    ) -> None:
        self._read, self._keep, self._changed = read, keep, changed
        self.turns = Turns(PATIENCE_S)
        self.forgotten_s = FORGOTTEN_S
        self._tidy_at = 0.0
        self._digests: dict[str, str] = {}  # of every name there ever was
        self._lock = threading.Lock()
        self._known: Catalogue[Weights] = Catalogue()
        self._room = Room(self._known, self.turns, place, arrived, clear, slots, memory_bytes)
        self._unswept = False
        self._cooling: set[str] = set()  # to go from memory when nobody uses them
        self._pins = Pins(self._known, self._room)
        self._loader = ThreadPoolExecutor(readers, thread_name_prefix="adapters", initializer=reader)

    # --- any thread ---------------------------------------------------------------------------------------

    def register(self, name: str, folder: Path) -> None:
        """Verify the adapter in `folder` and make it available. Known already: nothing is done.

        Raises `AdapterError` for a folder that is no adapter of this base, for a name that has meant another
        content, and for more than memory may hold beside what is pinned.
        """
        files = signature(folder)
        with self._lock:
            if self._known_as(name, files):
                return
        digest = adapter_digest(folder)
        with self._lock:
            self._check_digest(name, digest)
            if name in self._known:  # the same content, in other files
                self._known[name].move(folder, files)
                self._known_as(name, files)
                return
        weights = self._read(folder)
        with self._lock:
            self._check_digest(name, digest)
            self._check_size(name, weights.bytes)
            self._digests[name] = digest
            if name not in self._known:
                self._add(name, folder, digest, files, weights)
            known = self._known[name]
            known.leaving, self._unswept = False, True
        self._changed()
        self._keep_beside(known, folder, weights)

    def remove(self, name: str) -> None:
        """Take no new requests for the adapter, and forget it after the last one. Raises `EngineError`."""
        with self._lock:
            self._available(name).leaving = self._unswept = True
            self._tidy_at = 0.0

    def pin(self, name: str, pinned: bool = True) -> None:
        """Keep the adapter in memory and in a slot, which it gets as soon as one is free, whatever else is asked for.

        Raises `EngineError` when the pinned ones would leave no slot for the others, or no room for the largest
        of them. A single slot is kept by nobody.
        """
        with self._lock:
            chosen = self._available(name)
            if pinned:
                self._pins.check(name, chosen)
                self._cooling.discard(name)
            chosen.pinned = pinned
            self._pins.to_settle.add(name)
        self._changed()

    def warm(self, name: str) -> bool:
        """Begin to read the adapter back into memory if that takes nobody's place; whether it is or will be there.

        Raises `EngineError` when it is not available.
        """
        with self._lock:
            one = self._available(name)
            self._cooling.discard(name)
            if one.weights is None and not one.loading:
                if not self._room.fits(one.bytes):
                    return False
                self._known.load(name)
                self._loader.submit(self._load, name, one)
            return True

    def cool(self, name: str) -> None:
        """Let an available adapter go from slot and memory once no request names it; the next one fetches it back.

        Raises `EngineError` when it is not available. One that is pinned stays.
        """
        with self._lock:
            self._available(name)
            self._cooling.add(name)
            self._unswept = True
        self._changed()

    def card(self, name: str) -> AdapterCard:
        """The card of an available adapter. Raises `EngineError`."""
        with self._lock:
            return self._available(name).card

    def want(self, name: str) -> None:
        """A request for the adapter was submitted: the next sweep fetches it if it is on disk.

        Raises `EngineError` when it is not available.
        """
        with self._lock:
            self._available(name).hits += 1
            self._known.want(name)
            self._unswept = True

    def share(self, name: str) -> None:
        """A request in flight goes on in one part more, even while its adapter takes no new requests."""
        with self._lock:
            self._known.share(name)

    def unwant(self, name: str) -> None:
        """That request has ended."""
        with self._lock:
            if self._known.unwant(name):
                known = self._known[name]
                known.failure = ""  # the next request tries again
                known.used = time.monotonic()
                self.turns.served(name)
                self._unswept = True
                self._tidy_at = 0.0 if known.leaving else self._tidy_at

    def list(self) -> list[AdapterResidency]:
        """The available adapters, least recently used first."""
        with self._lock:
            return [self._residency(name, one) for name, one in self._known.items() if not one.leaving]

    def close(self) -> None:
        """Stop reading from disk."""
        self._loader.shutdown(wait=True, cancel_futures=True)

    # --- the engine thread --------------------------------------------------------------------------------

    def hold(self, name: str, begun: bool = False) -> int | None:
        """The device slot of the adapter, held until `release`; None while it has none, or gives way. What has
        `begun` goes on: others of its request may hold the adapter, and wait for it.

        Raises `EngineError` when its folder can no longer be read, and what `place` raises.
        """
        with self._lock:
            known = self._known[name]
            if known.failure:
                raise EngineError(f"adapter {name} cannot be read again: {known.failure}")
            if known.weights is None or (self.turns.gives_way(name) and not begun):
                return None
            slot = self._room.seat(name, known.weights)
            if slot is not None:
                self.turns.served(name)
            return slot

    def absent(self) -> set[str]:
        """Adapters that are asked for and that nobody can hold now: on disk, or without a slot while all slots are
        in use. Of the latter, who has waited longest is left out, so that others give way to it at its time."""
        now = time.monotonic()
        with self._lock:
            wanted = [(name, one) for name, one in self._known.wanted.items() if not one.failure]
            gone = {name for name, one in wanted if one.weights is None}
            if not self._room.full():
                return gone
            here = [name for name, _ in wanted if name not in gone]
            seatless = [name for name in here if self._room.slot(name) is None]
            for name in seatless:
                self.turns.refused(name, now)
            return gone | ({*seatless} - {self.turns.first()})

    def release(self, name: str) -> None:
        """One who held the adapter is done; it stays in its slot until the slot is needed."""
        self._room.leave(name)

    def sweep(self) -> None:
        """Forget what left, bring memory within its budget, and begin to read what is wanted from disk."""
        now = time.monotonic()
        if self._pins.to_settle:
            with self._lock:
                self._pins.settle_in()
        if not self._unswept and now < self._tidy_at:
            return
        with self._lock:
            if now >= self._tidy_at:
                self._tidy_at = now + TIDY_S
                for name in [name for name, one in self._known.items() if one.over(now - self.forgotten_s)]:
                    self._room.empty(name)
                    self._known.forget(name)
            self._cooling -= {name for name in self._cooling if self._room.gone(name)}
            self._room.make(0)
            self._unswept = not self._fetch(now)

    # --- under the lock -----------------------------------------------------------------------------------

    def _available(self, name: str) -> Known[Weights]:
        known = self._known.get(name)
        if known is None or known.leaving:
            raise EngineError(f"adapter {name} is not loaded")
        return known

    def _known_as(self, name: str, files: Signature) -> bool:
        """Whether these files are, unchanged, the ones that were registered; then it is available."""
        known = self._known.get(name)
        if known is None or known.signature != files:
            return False
        known.leaving, known.used = False, time.monotonic()
        return True

    def _add(self, name: str, folder: Path, digest: str, files: Signature, weights: Weights) -> None:
        """It stays in memory if there is room; else it is read again when it is asked for."""
        kept = weights if self._room.make(weights.bytes, in_slots=False) else None
        one = Known(folder, digest, files, weights.card, weights.rank, weights.bytes, kept)
        self._known.add(name, one)

    def _check_digest(self, name: str, digest: str) -> None:
        if self._digests.get(name, digest) != digest:
            raise AdapterError(f"{name}: the name means another adapter already; names carry their digest")

    def _check_size(self, name: str, size: int) -> None:
        pinned = sum(one.bytes for _, one in self._known.items() if one.pinned)
        if size > self._room.memory_bytes - pinned:
            raise AdapterError(
                f"{name}: {size} bytes, and memory for adapters is {self._room.memory_bytes}, {pinned} pinned"
            )

    def _fetch(self, now: float) -> bool:
        """Begin to read what is wanted, who waits longest first; whether there was room for all."""
        missing = [name for name, one in self._known.wanted.items() if one.missing]
        for name in sorted(missing, key=self.turns.since):
            size = self._known[name].bytes
            if not self._room.make(size):
                overdue = self.turns.refused(name, now)
                if overdue and not self._room.make(size, waiting=name):
                    self._room.ask(name, size)
                    return False  # what comes free is for it
                if not overdue:
                    continue
            self._known.load(name)
            self._loader.submit(self._load, name, self._known[name])
        return not any(one.missing for one in self._known.wanted.values())

    def _residency(self, name: str, one: Known[Weights]) -> AdapterResidency:
        slot = self._room.slot(name)
        tier = "device" if slot is not None else "disk" if one.weights is None else "memory"
        return AdapterResidency(
            name, one.card.task, slot, one.wanted, one.rank, one.bytes, tier, one.pinned, one.hits
        )

    # --- the loader's thread ------------------------------------------------------------------------------

    def _load(self, name: str, known: Known[Weights]) -> None:
        weights, failure, folder = None, "", known.folder
        kept = self._kept(known)
        try:
            if kept is not None:
                weights = kept
            elif adapter_digest(folder) == known.digest:
                weights = self._read(folder)
            else:
                failure = "its files changed on disk since it was loaded"
        except Exception as error:  # whatever it is, those who wait for the adapter must hear of it
            logger.warning("adapter %s cannot be read again: %s", name, error)
            failure = "the worker's log says why"  # the reason names folders of the server
        with self._lock:
            if self._known.get(name) is not known:
                return
            if known.folder != folder:  # registered again meanwhile, from where it can be read
                failure = ""
            self._known.loaded(name, weights, failure)
            self._unswept = True
            self._tidy_at = 0.0 if known.leaving else self._tidy_at
        self._changed()
        if kept is None and weights is not None:
            self._keep_beside(known, folder, weights)

    def _keep_beside(self, known: Known[Weights], folder: Path, weights: Weights) -> None:
        again = self._keep(folder, weights)
        with self._lock:
            known.again = again if known.folder == folder else None

    def _kept(self, known: Known[Weights]) -> Weights | None:
        """The adapter as it was left beside its files, if it lies there as it was written."""
        try:
            return known.again() if known.again else None
        except OSError as error:
            logger.warning("an adapter is read from its own files again: %s", error)
            known.again = None
            return None
