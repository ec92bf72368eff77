"""Rings: per entity its newest events, kept in Valkey by scripts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
import redis

from apps.fraud.ring_scripts import (
    APPEND,
    APPEND_SCRIPT,
    BEGIN_SCRIPT,
    FORMAT,
    LOOK,
    LOOK_SCRIPT,
    PATCH,
    PUT,
    PUT_SCRIPT,
    UNKNOWN,
)
from models_zoo.fraud.counters import COUNTER, counted, joined, nothing
from models_zoo.fraud.events import EVENT, FRAUD, GENUINE, WINDOW, Integers, Records
from models_zoo.fraud.history import Before

MISSING = -1
HEAD = 16
"""Bytes of a ring's epoch and `since`."""
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(slots=True)
class Found:
    """What rings hold: `since` int64 [R] (MISSING: no ring), COUNTER [R, 2] of what came up to then, and `count` [R]
    EVENT records after it, one ring behind the other."""

    since: Integers
    counters: Records
    count: Integers
    events: Records

    def packed(self) -> tuple[list[int], bytes]:
        """How many bytes each ring has with its counters, and the bytes of all."""
        ends = np.cumsum(self.count)
        heads = [
            counters.tobytes() if since > 0 else b""
            for counters, since in zip(self.counters, self.since.tolist(), strict=True)
        ]
        bodies = [
            self.events[start:end].tobytes() for start, end in zip(ends - self.count, ends, strict=True)
        ]
        both = [head + body for head, body in zip(heads, bodies, strict=True)]
        return [len(one) for one in both], b"".join(both)


@dataclass(slots=True)
class Looked:
    """Rings with the head as it was: no epoch, nothing is kept."""

    epoch: bytes
    applied: int
    rings: Found


@dataclass(slots=True)
class Change:
    """What comes to one ring, as bytes, and whether it is asked for."""

    events: bytes = b""
    patches: bytes = b""
    asked: bool = False


@dataclass(slots=True)
class Rings:
    """The rings of one organisation."""

    connection: "redis.Redis[bytes]"
    organisation: UUID
    head: str = field(init=False)

    def __post_init__(self) -> None:
        self.head = f"fraud:{FORMAT}:{self.organisation}"

    def key(self, entity: int) -> bytes:
        """Where an entity's ring is."""
        return f"{self.head}:".encode() + entity.to_bytes(8, "little", signed=True)

    def look(self, asked: Mapping[int, int]) -> Looked:
        """The rings of entities from the lowest sequence that is asked of each; of 0 only whether it is there."""
        wanted = np.array(list(asked.items()), LOOK)
        epoch, applied, lengths, packed = self._run(LOOK_SCRIPT, wanted.tobytes())
        rings = _unpacked(lengths, packed) if epoch else _nothing(len(asked))
        return Looked(epoch, int(applied), rings)

    def append(
        self, epoch: bytes, seen: int, last: int, label: int, changes: Mapping[int, Change]
    ) -> Found | None:
        """Bring rings up to `last` and read those that are asked for, in order; None if the epoch is over."""
        rings = np.array(
            [(name, one.asked, len(one.events), len(one.patches)) for name, one in changes.items()], APPEND
        )
        events = b"".join(one.events for one in changes.values())
        patches = b"".join(one.patches for one in changes.values())
        answer = self._run(APPEND_SCRIPT, epoch, seen, last, label, rings.tobytes(), events, patches)
        return _unpacked(*answer) if answer else None

    def put(self, epoch: bytes, seen: int, names: Integers, rings: Found) -> int:
        """Keep the rings of entities as they were read up to `seen`; returns how many. The others are left as they
        are."""
        told, (sizes, packed) = np.zeros(len(names), PUT), rings.packed()
        told["entity"], told["since"], told["size"] = names, rings.since, sizes
        return int(self._run(PUT_SCRIPT, epoch, seen, told.tobytes(), packed))

    def begin(self, former: bytes, epoch: bytes, applied: int) -> None:
        """Start anew, unless another worker did: from here on no ring is there."""
        self._run(BEGIN_SCRIPT, former, epoch, applied)

    def forget(self, entities: Iterable[int]) -> None:
        """Delete rings."""
        wanted = sorted(set(entities))
        for start in range(0, len(wanted), 1000):
            self.connection.unlink(*(self.key(entity) for entity in wanted[start : start + 1000]))

    def _run(self, script: str, *arguments: bytes | int) -> Any:
        return self.connection.eval(script, 1, self.head, *arguments)  # type: ignore[no-untyped-call]


def patches_of(labels: Records) -> Records:
    """PATCH [M] of LABEL [M]."""
    patches = np.zeros(len(labels), PATCH)
    patches["payment"], patches["labelled"] = labels["payment"], labels["sequence"]
    patches["fraud"] = np.where(labels["fraud"] == 1, FRAUD, GENUINE)
    return patches


def windows(found: Found, ring: Integers, sequences: Integers) -> tuple[Records, Mask]:
    """EVENT [B, WINDOW] of rings [B] strictly before each sequence [B]; and which [B] of them are whole.

    A window is not whole if its ring is missing, or does not reach far enough back.
    """
    return _windows(found, ring, *_places(found, ring, sequences))


def _windows(found: Found, ring: Integers, first: Integers, end: Integers) -> tuple[Records, Mask]:
    places = end[:, None] - np.arange(WINDOW, 0, -1)
    filled = places >= first[:, None]
    if not len(found.events):
        return np.zeros(filled.shape, EVENT), found.since[ring] == 0
    window = found.events[np.where(filled, places, 0)]
    window[~filled] = np.zeros((), EVENT)
    return window, (found.since[ring] == 0) | ((found.since[ring] > 0) & filled[:, 0])


def before(found: Found, ring: Integers, sequences: Integers) -> tuple[Before, Mask]:
    """The same with the counters of what came before each window; not whole either where those are not known."""
    first, end = _places(found, ring, sequences)
    window, whole = _windows(found, ring, first, end)
    counters, size = found.counters[ring], end - WINDOW - first
    some = np.nonzero(size > 0)[0]
    if len(some):
        places = np.arange(size.max())
        cut = found.events[np.where(places < size[some, None], first[some, None] + places, 0)]
        cut["sequence"][places >= size[some, None]] = 0
        counters[some] = joined(counters[some], counted(cut))
    return Before(window, counters), whole & (found.counters["count"][ring, 0] != UNKNOWN)


def _places(found: Found, ring: Integers, sequences: Integers) -> tuple[Integers, Integers]:
    """From where to where, int64 [B] each, the events of each ring before its sequence lie."""
    stride = int(max(found.events["sequence"].max(initial=0), sequences.max(initial=0))) + 2
    keys = np.repeat(np.arange(len(found.count)), found.count) * stride + found.events["sequence"]
    return (np.cumsum(found.count) - found.count)[ring], np.searchsorted(keys, ring * stride + sequences)


def _unpacked(lengths: bytes, packed: bytes) -> Found:
    sizes = np.frombuffer(lengths, "<i4").astype(np.int64)
    starts = np.cumsum(sizes) - sizes
    raw = np.frombuffer(packed, np.uint8)
    since, counters = np.full(len(sizes), MISSING), nothing(len(sizes), 2)
    there = sizes > 0
    since[there] = raw[starts[there, None] + np.arange(8, HEAD)].view("<i8")[:, 0]
    body = np.where(there, HEAD, 0)
    cut = (since > 0) & (sizes > HEAD)
    width = 2 * COUNTER.itemsize
    counters[cut] = raw[starts[cut, None] + np.arange(HEAD, HEAD + width)].view(COUNTER)
    body[cut] += width
    pieces = [
        packed[start:end]
        for start, end in zip((starts + body).tolist(), (starts + sizes).tolist(), strict=True)
    ]
    return Found(since, counters, (sizes - body) // EVENT.itemsize, np.frombuffer(b"".join(pieces), EVENT))


def _nothing(size: int) -> Found:
    return Found(np.full(size, MISSING), nothing(size, 2), np.zeros(size, np.int64), np.zeros(0, EVENT))
