"""Where every adapter is: on the device, in host memory, or on disk alone. Any thread may ask; one loads.

Weights are prepared for the device away from the engine thread; putting a prepared adapter into a slot is quick,
so that requests which are being answered never wait for one that comes from disk. Host memory has a budget in
bytes: the least recently used adapter that nobody uses, and nobody pinned, leaves first and is read from its
folder again when it is asked for. After S-LoRA (Sheng et al., 2023).
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from models_zoo.llm.card import AdapterCard, AdapterError, adapter_digest
from workers.engine.protocol import AdapterResidency, EngineError
from workers.engine.slots import SlotTable

logger = logging.getLogger(__name__)


class Prepared(Protocol):
    """An adapter in the device's own layout, in host memory."""

    @property
    def card(self) -> AdapterCard: ...

    @property
    def rank(self) -> int: ...

    @property
    def bytes(self) -> int: ...


Weights = TypeVar("Weights", bound=Prepared)


@dataclass(slots=True)
class _Known(Generic[Weights]):
    """An adapter that can be asked for. `failure` says why its folder could not be read again."""

    folder: Path
    digest: str
    card: AdapterCard
    rank: int
    bytes: int
    weights: Weights | None
    wanted: int = 0  # requests that name it, from submission to their end
    leaving: bool = False
    pinned: bool = False
    loading: bool = False
    failure: str = ""

    @property
    def missing(self) -> bool:
        return bool(self.wanted) and self.weights is None and not self.loading and not self.failure


class Residency(Generic[Weights]):
    """Adapters by name, in three tiers.

    `read(folder)` verifies and prepares an adapter, in any thread; `place(slot, weights)` and `clear(slot)` are
    called within `hold` and `sweep`, which are the engine thread's. `changed()` is called when an adapter has
    arrived in memory, or failed to.
    """

    def __init__(
        self,
        read: Callable[[Path], Weights],
        place: Callable[[int, Weights], None],
        clear: Callable[[int], None],
        slots: int,
        memory_bytes: int,
        changed: Callable[[], None],
    ) -> None:
        self._read, self._place, self._clear, self._changed = read, place, clear, changed
        self._slots = SlotTable(slots)
        self._budget = memory_bytes
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known[Weights]] = OrderedDict()  # least recently used first
        self._unswept = False
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="adapters")

    # --- any thread ---------------------------------------------------------------------------------------

    def register(self, name: str, folder: Path) -> None:
        """Verify the adapter in `folder` and make it available. Known already: nothing is done.

        Raises `AdapterError` for a folder that is no adapter of this base, or more than memory may hold.
        """
        with self._lock:
            known = self._known.get(name)
            if known is not None:
                known.leaving = False
                return
        weights, digest = self._read(folder), adapter_digest(folder)
        if weights.bytes > self._budget:
            raise AdapterError(f"{folder}: {weights.bytes} bytes, and memory for adapters is {self._budget}")
        with self._lock:
            one = _Known(folder, digest, weights.card, weights.rank, weights.bytes, weights)
            self._known.setdefault(name, one)
            self._unswept = True

    def remove(self, name: str) -> None:
        """Take no new requests for the adapter, and forget it after the last one. Raises `EngineError`."""
        with self._lock:
            self._available(name).leaving = self._unswept = True

    def pin(self, name: str, pinned: bool = True) -> None:
        """Keep the adapter in memory, and in its slot once it has one, whatever else is asked for.

        Raises `EngineError` when the pinned ones would leave no room for the largest of the others.
        """
        with self._lock:
            chosen = self._available(name)
            others = [one for one in self._known.values() if one is not chosen and not one.pinned]
            kept = sum(one.bytes for one in self._known.values() if one.pinned or one is chosen)
            if pinned and kept + max((one.bytes for one in others), default=0) > self._budget:
                raise EngineError(f"adapter {name} cannot be pinned: no room would be left for the others")
            chosen.pinned = pinned

    def card(self, name: str) -> AdapterCard:
        """The card of an available adapter. Raises `EngineError`."""
        with self._lock:
            return self._available(name).card

    def want(self, name: str) -> None:
        """A request for the adapter was submitted: the next sweep fetches it if it is on disk.

        Raises `EngineError` when it is not available.
        """
        with self._lock:
            self._available(name).wanted += 1
            self._known.move_to_end(name)
            self._unswept = True

    def share(self, name: str) -> None:
        """A request in flight goes on in one part more, even while its adapter takes no new requests."""
        with self._lock:
            self._known[name].wanted += 1

    def unwant(self, name: str) -> None:
        """That request has ended."""
        with self._lock:
            known = self._known[name]
            known.wanted -= 1
            if not known.wanted:
                known.failure = ""  # the next request tries again
                self._unswept = True

    def list(self) -> list[AdapterResidency]:
        """The available adapters, least recently used first."""
        with self._lock:
            return [self._residency(name, one) for name, one in self._known.items() if not one.leaving]

    def close(self) -> None:
        """Stop reading from disk."""
        self._loader.shutdown(wait=True, cancel_futures=True)

    # --- the engine thread --------------------------------------------------------------------------------

    def hold(self, name: str) -> int | None:
        """The device slot of the adapter, held until `release`; None while it has none.

        Raises `EngineError` when its folder can no longer be read.
        """
        with self._lock:
            known = self._known[name]
            if known.failure:
                raise EngineError(f"adapter {name} cannot be read again: {known.failure}")
            if known.weights is None:
                return None
            taken = self._slots.pin(name, keep=self._pinned)
            if taken is None:
                return None
            slot, is_new = taken
            if is_new:
                self._place(slot, known.weights)
            return slot

    def release(self, name: str) -> None:
        """One who held the adapter is done; it stays in its slot until the slot is needed."""
        self._slots.unpin(name)

    def sweep(self) -> None:
        """Forget what left, bring memory within its budget, and begin to read what is wanted from disk."""
        if not self._unswept:
            return
        with self._lock:
            self._unswept = False
            for name in [name for name, one in self._known.items() if one.leaving and not one.wanted]:
                self._drop_from_slot(name)
                del self._known[name]
            self._make_room(0)
            for name, one in self._known.items():
                if one.missing and self._make_room(one.bytes):
                    one.loading = True
                    self._loader.submit(self._load, name, one)

    # --- under the lock -----------------------------------------------------------------------------------

    def _available(self, name: str) -> _Known[Weights]:
        known = self._known.get(name)
        if known is None or known.leaving:
            raise EngineError(f"adapter {name} is not loaded")
        return known

    def _pinned(self, name: str) -> bool:
        return self._known[name].pinned

    def _used(self) -> int:
        return sum(one.bytes for one in self._known.values() if one.weights is not None or one.loading)

    def _make_room(self, needed: int) -> bool:
        """Let idle adapters go to disk until `needed` more bytes fit; whether they do."""
        for name, one in list(self._known.items()):
            if self._used() + needed <= self._budget:
                return True
            if one.weights is not None and not (one.wanted or one.pinned or self._slots.in_use(name)):
                self._drop_from_slot(name)
                one.weights = None
        return self._used() + needed <= self._budget

    def _drop_from_slot(self, name: str) -> None:
        slot = self._slots.slot(name)
        if slot is not None:
            self._slots.remove(name)
            self._clear(slot)

    def _residency(self, name: str, one: _Known[Weights]) -> AdapterResidency:
        slot = self._slots.slot(name)
        tier = "device" if slot is not None else "disk" if one.weights is None else "memory"
        return AdapterResidency(
            name, one.card.task, slot, one.wanted, one.rank, one.bytes, tier=tier, pinned=one.pinned
        )

    # --- the loader's thread ------------------------------------------------------------------------------

    def _load(self, name: str, known: _Known[Weights]) -> None:
        try:
            if adapter_digest(known.folder) != known.digest:
                raise AdapterError(f"{known.folder}: changed on disk since it was loaded")
            weights, failure = self._read(known.folder), ""
        except Exception as error:  # whatever it is, those who wait for the adapter must hear of it
            logger.warning("adapter %s cannot be read again: %s", name, error)
            weights, failure = None, str(error)
        with self._lock:
            known.weights, known.failure, known.loading = weights, failure, False
        self._changed()
