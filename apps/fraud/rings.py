"""Rings: per entity its newest events, kept in Valkey by scripts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
import redis

from apps.fraud.ring_scripts import (
    APPEND,
    APPEND_SCRIPT,
    BEGIN_SCRIPT,
    CAPACITY,
    FORMAT,
    LOOK,
    LOOK_SCRIPT,
    PATCH,
    PUT,
    PUT_SCRIPT,
)
from models_zoo.fraud.events import EVENT, FRAUD, GENUINE, WINDOW, Integers, Records

MISSING = -1


@dataclass(slots=True)
class Found:
    """What rings hold: `since` int64 [R] (MISSING: no ring) and `count` [R], and their EVENT records one behind the
    other."""

    since: Integers
    count: Integers
    events: Records


@dataclass(slots=True)
class Looked:
    """Rings with the head as it was: no epoch, nothing is kept."""

    epoch: bytes
    applied: int
    rings: Found


@dataclass(slots=True)
class Change:
    """What comes to one ring, as bytes, and the lowest sequence that is asked of it (0: none)."""

    events: bytes = b""
    patches: bytes = b""
    asked: int = 0


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

    def put(self, epoch: bytes, seen: int, rings: Mapping[int, Records]) -> int:
        """Keep rings as they were read up to `seen`; returns how many. The others are left as they are."""
        told = np.array([(name, since_of(one), one.nbytes) for name, one in rings.items()], PUT)
        events = b"".join(one.tobytes() for one in rings.values())
        return int(self._run(PUT_SCRIPT, epoch, seen, told.tobytes(), events))

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


def since_of(events: Records) -> int:
    """Since when EVENT [n], an entity's newest, are all: 0 if there were fewer than a ring keeps."""
    return int(events["sequence"][0]) - 1 if len(events) >= CAPACITY else 0


def patches_of(labels: Records) -> Records:
    """PATCH [M] of LABEL [M]."""
    patches = np.zeros(len(labels), PATCH)
    patches["payment"], patches["labelled"] = labels["payment"], labels["sequence"]
    patches["fraud"] = np.where(labels["fraud"] == 1, FRAUD, GENUINE)
    return patches


def windows(
    found: Found, ring: Integers, sequences: Integers
) -> tuple[Records, "np.ndarray[tuple[int], np.dtype[np.bool_]]"]:
    """EVENT [B, WINDOW] of rings [B] strictly before each sequence [B]; and which [B] of them are whole.

    A window is not whole if its ring is missing, or does not reach far enough back.
    """
    first = np.concatenate([[0], np.cumsum(found.count)])
    stride = int(max(found.events["sequence"].max(initial=0), sequences.max(initial=0))) + 2
    keys = np.repeat(np.arange(len(found.count)), found.count) * stride + found.events["sequence"]
    end = np.searchsorted(keys, ring * stride + sequences)
    places = end[:, None] - np.arange(WINDOW, 0, -1)
    filled = places >= first[ring][:, None]
    if not len(found.events):
        return np.zeros(filled.shape, EVENT), found.since[ring] == 0
    window = found.events[np.where(filled, places, 0)]
    window[~filled] = np.zeros((), EVENT)
    return window, (found.since[ring] == 0) | ((found.since[ring] > 0) & filled[:, 0])


def _unpacked(lengths: bytes, packed: bytes) -> Found:
    sizes = np.frombuffer(lengths, "<i4").astype(np.int64)
    ends = np.cumsum(sizes)
    raw = np.frombuffer(packed, np.uint8)
    there = sizes > 0
    heads = (ends - sizes)[there, None] + np.arange(8)
    since = np.full(len(sizes), MISSING)
    since[there] = raw[heads].copy().view("<i8")[:, 0]
    body = np.ones(len(raw), bool)
    body[heads.reshape(-1)] = False
    count = np.where(there, (sizes - 8) // EVENT.itemsize, 0)
    return Found(since, count, np.frombuffer(raw[body].tobytes(), EVENT))


def _nothing(size: int) -> Found:
    return Found(np.full(size, MISSING), np.zeros(size, np.int64), np.zeros(0, EVENT))


def found_of(rings: Sequence[Records]) -> Found:
    """Whole contents as if they had been read."""
    count = np.array([len(one) for one in rings], np.int64)
    events = np.concatenate(rings) if rings else np.zeros(0, EVENT)
    return Found(np.array([since_of(one) for one in rings], np.int64), count, events)
