"""The histories of an organisation's stream, for serving: rings in Valkey over the truth in PostgreSQL.

A batch takes two round trips: one looks at the payers' rings, from which its surprises follow; the other appends
what came, and reads. Nothing here is lost for good: a ring that is gone or too short is read from PostgreSQL and
put back. If the head is gone, or far behind, a new epoch begins with no rings at all.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID, uuid4

import numpy as np
import redis

from apps.fraud import records
from apps.fraud.rings import MISSING, Change, Found, Looked, Rings, before, patches_of, windows
from apps.fraud.stored import stored_before, stored_rings
from models_zoo.fraud.events import EVENT, LABEL, PAYMENT, Floats, Integers, Records, events_of
from models_zoo.fraud.history import SIDES, Before, Neighbourhood, surprises
from rootstock.errors import Unavailable

CATCH_UP = 2000
"""Payments and labels that one request reads from PostgreSQL to catch up; beyond it a new epoch is cheaper."""
TRIES = 5
PAIRS = 500


@dataclass(slots=True, frozen=True)
class Asked:
    """Windows that are wanted: names int64 [R] of entities, ascending; ring [B] (an index of names) and
    sequences [B]."""

    names: Integers
    ring: Integers
    sequences: Integers

    @classmethod
    def of(cls, entities: Integers, sequences: Integers) -> "Asked":
        """Of entities [B], each before its sequence [B]."""
        names, ring = np.unique(entities, return_inverse=True)
        return cls(names, ring.reshape(-1), sequences)

    def lowest(self) -> dict[int, int]:
        """The lowest sequence that is asked of each entity, in the order of the names."""
        found = np.full(len(self.names), np.iinfo(np.int64).max)
        np.minimum.at(found, self.ring, self.sequences)
        return dict(zip(self.names.tolist(), found.tolist(), strict=True))


@dataclass(slots=True, frozen=True)
class Due:
    """What must come into the rings: PAYMENT [N], LABEL [M], and the entities [M, 4] of the labelled payments."""

    payments: Records
    labels: Records
    owners: Integers


class ValkeyHistory:
    """`models_zoo.fraud.history.Reading` of one organisation, which takes what arrives from PostgreSQL by itself."""

    def __init__(self, connection: "redis.Redis[bytes]", organisation: UUID) -> None:
        self.organisation, self.rings = organisation, Rings(connection, organisation)

    def neighbourhood(self, batch: Records) -> tuple[Neighbourhood, Floats]:
        """What the entities of PAYMENT [B] had done before each, and the surprises float32 [B].

        Brings the rings up to the last of them, payments and labels before it included. Raises Unavailable when
        the state is begun anew by others all the time.
        """
        entities = np.concatenate([batch[side] for side in SIDES])
        named = np.nonzero(entities)[0]
        asked = Asked.of(entities[named], np.tile(batch["sequence"], len(SIDES))[named])
        for _ in range(TRIES):
            looked = self._looked(batch, asked)
            due = self._due(looked, batch)
            known = _union(due.payments, batch)
            surprise = self._surprises(looked, asked.names, known, alone=len(known) == len(_union(batch)))
            last = int(batch["sequence"].max())
            label = int(due.labels["sequence"].max(initial=0))
            fresh = surprise[np.isin(known["sequence"], due.payments["sequence"])]
            changes = _changes(asked, due, fresh)
            found = self.rings.append(looked.epoch, looked.applied, last, label, changes)
            if found is not None:
                here = Looked(looked.epoch, max(looked.applied, last), found)
                own = surprise[np.searchsorted(known["sequence"], batch["sequence"])]
                return Neighbourhood.of(batch, named, self._before(here, asked)), own
        raise Unavailable("the state of payments is being begun anew", retry_after=1)

    def append(self, batch: Records) -> None:
        """Bring the rings up to the last of PAYMENT [N], and read nothing: for payments that nobody decides on."""
        self.neighbourhood(batch)

    def before(self, entities: Integers, sequences: Integers) -> Before:
        """See `Reading.before`; among what was brought into the rings."""
        asked = Asked.of(entities, sequences)
        return self._before(self.rings.look(dict.fromkeys(asked.names.tolist(), 1)), asked)

    def forget(self, entities: Iterable[int]) -> None:
        """Delete the rings of these entities: what is wanted of them is read from PostgreSQL when it is wanted."""
        self.rings.forget(entities)

    def begin(self, applied: int) -> None:
        """Leave all rings: a new epoch, which holds what came up to `applied` as soon as it is asked for."""
        self.rings.begin(self.rings.look({}).epoch, _new_epoch(), applied)

    def restore(self, entities: Iterable[int]) -> None:
        """Put rings back from PostgreSQL, as far as others do not get in the way."""
        head = self.rings.look({})
        self._restored(head, np.array(sorted(set(entities)), np.int64))

    def _looked(self, batch: Records, asked: Asked) -> Looked:
        """The payers' rings, and which of the others are there; those that are missing are put back first."""
        payers = Asked.of(batch["payer"], batch["sequence"])
        wanted = dict.fromkeys(asked.names.tolist(), 0) | payers.lowest()
        looked = self.rings.look(wanted)
        last = int(batch["sequence"].max())
        if not looked.epoch or last - looked.applied > CATCH_UP:
            self.rings.begin(looked.epoch, _new_epoch(), _before_the_run(batch["sequence"]))
            looked = self.rings.look(wanted)
        missing = looked.rings.since == MISSING
        if missing.any():
            self._restored(looked, asked.names[missing])
            looked = self.rings.look(wanted)
        return looked

    def _due(self, looked: Looked, batch: Records) -> Due:
        last = int(batch["sequence"].max())
        fresh = _union(batch[batch["sequence"] > looked.applied])
        if len(fresh) >= last - looked.applied:
            return Due(fresh, np.zeros(0, LABEL), np.zeros((0, len(SIDES)), np.int64))
        payments = records.payments_between(self.organisation, looked.applied, last)
        return Due(payments, *records.labels_between(self.organisation, looked.applied, last))

    def _surprises(self, looked: Looked, names: Integers, known: Records, *, alone: bool) -> Floats:
        """Of the payments `known`: the batch, and what came before it and is not applied yet unless it is `alone`."""
        asked = Asked.of(known["payer"], known["sequence"])
        if alone:  # the payers' rings are among those that were looked at
            asked = Asked(names, np.searchsorted(names, known["payer"]), known["sequence"])
        else:
            looked = self.rings.look(asked.lowest())
        found, whole = windows(looked.rings, asked.ring, asked.sequences)
        if not whole.all():
            rows = np.nonzero(~whole)[0]
            found[rows] = self._read_back(looked, asked.names[asked.ring[rows]], asked.sequences[rows]).events
        return surprises(known, found)

    def _before(self, looked: Looked, asked: Asked) -> Before:
        """What is asked, from PostgreSQL where the rings cannot give it."""
        found, whole = before(looked.rings, asked.ring, asked.sequences)
        if not whole.all():
            rows = np.nonzero(~whole)[0]
            found.events[rows], found.counters[rows] = self._read_back(
                looked, asked.names[asked.ring[rows]], asked.sequences[rows]
            )
        self._hide_later(found.events, asked.sequences)
        return found

    def _read_back(self, looked: Looked, entities: Integers, sequences: Integers) -> Before:
        """Of entities [B], from PostgreSQL. Most are among an entity's newest, which come back as its ring."""
        names, ring = np.unique(entities, return_inverse=True)
        found, whole = before(self._restored(looked, names), ring.reshape(-1), sequences)
        behind = np.nonzero(~whole | (sequences > looked.applied + 1))[0]
        for start in range(0, len(behind), PAIRS):
            rows = behind[start : start + PAIRS]
            found.events[rows], found.counters[rows] = stored_before(
                self.organisation, entities[rows], sequences[rows]
            )
        return found

    def _restored(self, head: Looked, names: Integers) -> Found:
        found = stored_rings(self.organisation, names, head.applied)
        if head.epoch:
            self.rings.put(head.epoch, head.applied, names, found)
        return found

    def _hide_later(self, found: Records, sequences: Integers) -> None:
        """Give events of [B, WINDOW] whose label came at or after the asked sequence the label they had before."""
        rows, places = np.nonzero(found["labelled"] >= sequences[:, None])
        if not len(rows):
            return
        seen = found[rows, places]
        seen["fraud"], seen["labelled"] = 0, 0
        earlier = patches_of(records.labels_of(self.organisation, np.unique(seen["sequence"]).tolist()))
        for one, event in enumerate(seen):
            labels = earlier[
                (earlier["payment"] == event["sequence"]) & (earlier["labelled"] < sequences[rows[one]])
            ]
            if len(labels):
                newest = labels[np.argmax(labels["labelled"])]
                seen["fraud"][one], seen["labelled"][one] = newest["fraud"], newest["labelled"]
        found[rows, places] = seen


def _changes(asked: Asked, due: Due, surprise: Floats) -> dict[int, Change]:
    """What comes to each ring; those that are asked for first, in the order of their names."""
    changes = {name: Change(asked=True) for name in asked.names.tolist()}
    entities, events = events_of(due.payments, surprise)
    order = np.lexsort((events["sequence"], entities))
    names, first, count = np.unique(entities[order], return_index=True, return_counts=True)
    packed, size = events[order].tobytes(), EVENT.itemsize
    for name, start, end in zip(names.tolist(), first.tolist(), (first + count).tolist(), strict=True):
        changes.setdefault(name, Change()).events = packed[start * size : end * size]
    for patch, owners in zip(patches_of(due.labels), due.owners.tolist(), strict=True):
        for name in set(owners) - {0}:
            changes.setdefault(name, Change()).patches += patch.tobytes()
    return changes


def _union(*parts: Records) -> Records:
    """PAYMENT [N] by sequence, each once."""
    both = np.concatenate([np.zeros(0, PAYMENT), *parts])
    _, first = np.unique(both["sequence"], return_index=True)
    return np.asarray(both[first])


def _before_the_run(sequences: Integers) -> int:
    """The number before the last unbroken run of these numbers."""
    numbers = np.unique(sequences)
    breaks = np.nonzero(np.diff(numbers) > 1)[0]
    return int(numbers[breaks[-1] + 1 if len(breaks) else 0]) - 1


def _new_epoch() -> bytes:
    return uuid4().bytes[:8]
