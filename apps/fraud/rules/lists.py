"""Lists of payers, payees, devices, merchants and pairs, as the worker holds them: keyed hashes, nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

ALLOW, DENY, WATCH = "allow", "deny", "watch"
EFFECTS = (DENY, ALLOW, WATCH)
PARTIES = ("payer", "payee", "device", "merchant")
PAIR = "pair"
KINDS = (*PARTIES, PAIR)
WATCHED = PARTIES
_ORDER = tuple((effect, kind) for effect in (DENY, ALLOW) for kind in KINDS)
Key = tuple[int, int]
"""Of a party its key and 0, of a pair the payer's and the payee's."""


@dataclass(slots=True, frozen=True)
class Entry:
    """Until when (Unix seconds, None: no end) and for which channel (its index, None: for all) an entry holds."""

    id: UUID
    until: float | None = None
    channel: int | None = None

    def holds(self, payment: Mapping[str, Any]) -> bool:
        """By the payment's own clock, so that a replay agrees."""
        ended = self.until is not None and payment["time"] >= self.until
        return not ended and self.channel in (None, payment["channel"])


@dataclass(slots=True, frozen=True)
class Found:
    """The entry that a payment matches: which list, whom it names, and its id."""

    effect: str
    kind: str
    id: UUID


@dataclass(slots=True, frozen=True)
class Lists:
    """The entries of an organisation by effect, kind and key. `version` counts its changes; 0 is none at all."""

    version: int = 0
    entries: dict[tuple[str, str], dict[Key, list[Entry]]] = field(default_factory=dict)

    @classmethod
    def of(cls, version: int, rows: Iterable[tuple[str, str, Key, Entry]]) -> "Lists":
        """From (effect, kind, key, entry) rows."""
        made = cls(version)
        for effect, kind, key, entry in rows:
            made.entries.setdefault((effect, kind), {}).setdefault(key, []).append(entry)
        return made

    @property
    def reference(self) -> str:
        """`lists@17`; empty where there never were any."""
        return f"lists@{self.version}" if self.version else ""

    def found(self, payment: Mapping[str, Any]) -> Found | None:
        """What the lists decide about a payment: to deny comes before to allow."""
        for effect, kind in _ORDER:
            if (effect, kind) in self.entries and (entry := self._entry(effect, kind, payment)):
                return Found(effect, kind, entry.id)
        return None

    def watched(self, party: str, payments: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Which of the payments have a party that is on the watch list."""
        return [self._entry(WATCH, party, one) is not None for one in payments]

    def _entry(self, effect: str, kind: str, payment: Mapping[str, Any]) -> Entry | None:
        known = self.entries.get((effect, kind))
        if not known:
            return None
        key = (payment["payer"], payment["payee"]) if kind == PAIR else (payment[kind], 0)
        return next((one for one in known.get(key, ()) if one.holds(payment)), None)
