"""What is in force, read from PostgreSQL: for the worker by version, and as it was for a replay."""

import time
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from apps.fraud.payload import CHANNELS
from apps.fraud.rules.lists import Entry, Lists
from apps.fraud.rules.models import ListEntry, RulesInForce, RulesVersion
from apps.fraud.rules.ruleset import Rules, RuleSet
from rootstock.accounts.tenancy import tenant
from rootstock.errors import NotFound

FRESH_S = 1.0
"""For so long a worker does not ask whether something has changed."""


@dataclass(slots=True, frozen=True)
class _Known:
    seen: float
    version: tuple[int, int]
    rules: RuleSet | None


class RulesInMemory:
    """The rule sets of organisations, read again when their version has changed. One thread at a time."""

    def __init__(self, fresh_s: float = FRESH_S) -> None:
        self._fresh_s = fresh_s
        self._known: dict[UUID, _Known] = {}

    def of(self, organisation: UUID) -> RuleSet | None:
        """What is in force, at most `fresh_s` old. None where there are neither rules nor lists."""
        now, known = time.monotonic(), self._known.get(organisation)
        if known and now - known.seen < self._fresh_s:
            return known.rules
        with tenant(organisation):
            row = RulesInForce.objects.select_related("current", "shadow").first()
            version = (row.generation, row.lists) if row else (0, 0)
            rules = known.rules if known and known.version == version else _read(row)
        self._known[organisation] = _Known(now, version, rules)
        return rules


def rules_of(version: RulesVersion) -> Rules:
    """A version, ready to be worked out."""
    return Rules.of(version.reference, version.definition)


def lists_at(version: int) -> Lists:
    """The lists as they were after a change of them. Call it inside `tenant()`."""
    there = ListEntry.objects.filter(Q(ended_in=None) | Q(ended_in__gt=version), added_in__lte=version)
    found = there.values_list("effect", "kind", "key", "other_key", "id", "expires_at", "channel")
    return Lists.of(
        version,
        (
            (effect, kind, (key, other), Entry(id, ends.timestamp() if ends else None, _channel(channel)))
            for effect, kind, key, other, id, ends, channel in found
        ),
    )


def rules_at(*, organisation: UUID, reference: str) -> RuleSet | None:
    """The rule set that a decision names in `rules`. Raises NotFound for a version that there is not."""
    if not reference:
        return None
    parts = dict(part.split("@", 1) for part in reference.split())
    with tenant(organisation):
        rules = _numbered(parts["rules"]) if "rules" in parts else None
        return RuleSet(rules, lists_at(int(parts.get("lists", 0))))


def _numbered(part: str) -> Rules:
    found = RulesVersion.objects.filter(number=int(part.split("-")[0])).first()
    if found is None or found.reference != f"rules@{part}":
        raise NotFound("no such version of the rules")
    return rules_of(found)


def _read(row: RulesInForce | None) -> RuleSet | None:
    if row is None or not (row.current or row.shadow or row.lists):
        return None
    rules, shadow = (rules_of(one) if one else None for one in (row.current, row.shadow))
    return RuleSet(rules, lists_at(row.lists) if row.lists else Lists(), shadow)


def _channel(name: str) -> int | None:
    return CHANNELS.index(name) if name else None
