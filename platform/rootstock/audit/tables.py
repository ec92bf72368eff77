"""The lists of the audit pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse

from rootstock.accounts.auth import PageRequest
from rootstock.audit.models import AuditEntry, AuditRoot, DecisionRecord
from rootstock.audit.selectors import actors_of_trail, values_of
from rootstock.audit.words import (
    KINDS,
    action_words,
    actor_names,
    actors_of,
    kind_words,
    thing_words,
)
from rootstock.console.tables import ChoiceFilter, Column, DateFilter, Empty, Table, TextFilter

Choices = Sequence[tuple[str, str]]
MOST_ACTORS = 300
FINISHES = {"stop": "Complete", "length": "Cut at its length limit", "cancelled": "Stopped"}


@dataclass(slots=True, frozen=True)
class EntryRow:
    """An entry as the list shows it."""

    pk: UUID
    id: UUID
    at: datetime
    actor: str
    words: str
    action: str
    thing: str
    object_id: str
    request_id: str


@dataclass(slots=True, frozen=True)
class DecisionRow:
    """A decision as the list shows it."""

    pk: UUID
    id: UUID
    at: datetime
    words: str
    kind: str
    subject: str
    outcome: str
    model: str
    latency_ms: float


def entries_table(request: PageRequest) -> Table:
    """The trail. Its choices are the organisation's own actors, actions and things."""
    actions = values_of(organisation=request.organisation, model=AuditEntry, column="action")
    things = values_of(organisation=request.organisation, model=AuditEntry, column="object_type")
    return Table(
        name="audit",
        label="Audit trail",
        columns=[
            Column("at", "When", order="id"),
            Column("actor", "Who", css="strong"),
            Column("words", "What", css="wide", csv=lambda row: row.action),
            Column("thing", "Thing"),
            Column("object_id", "Its id", css="mono"),
            Column("request_id", "Request", css="mono", shown=False),
        ],
        filters=[
            ChoiceFilter("actor", "Who", apply=_by_actor, choices=_actor_choices(request)),
            ChoiceFilter(
                "action", "What", lookup="action", choices=[(one, action_words(one)) for one in actions]
            ),
            ChoiceFilter(
                "object_type",
                "Thing",
                lookup="object_type",
                choices=[(one, thing_words(one)) for one in things],
            ),
            TextFilter("object_id", "Id", lookup="object_id", placeholder="Exact id"),
            DateFilter("at", "When", lookup="at", by_id=True),
        ],
        sort="-at",
        row_url=lambda row: reverse("audit-entry", args=[row.pk]),
        prepare=lambda rows: _entry_rows(request, rows),
        empty=Empty(
            "Nothing on record", "What people, keys and jobs do appears here as they do it.", "scroll-text"
        ),
    )


DECISIONS = Table(
    name="decisions",
    label="Decision records",
    columns=[
        Column("at", "Decided", order="id"),
        Column("words", "Decision", css="strong", csv=lambda row: row.kind),
        Column("outcome", "Outcome"),
        Column("model", "Model or adapter", css="mono"),
        Column("subject", "About", css="mono"),
        Column("latency_ms", "Took", value=lambda row: f"{row.latency_ms:,.0f} ms", css="num"),
    ],
    filters=[
        ChoiceFilter("kind", "Decision", lookup="kind", choices=list(KINDS.items())),
        TextFilter("subject_id", "About", lookup="subject_id", placeholder="Exact id"),
        DateFilter("at", "When", lookup="decided_at", by_id=True),
    ],
    sort="-at",
    row_url=lambda row: reverse("audit-decision", args=[row.pk]),
    prepare=lambda rows: [_decision_row(row) for row in rows],
    empty=Empty("No decision yet", "Each score, reading and answer of a model appears here.", "fingerprint"),
)

ROOTS = Table(
    name="audit-roots",
    label="Roots",
    columns=[
        Column("sequence", "Root", css="num", order="sequence"),
        Column("count", "Rows sealed", css="num"),
        Column("hash", "Hash", value=lambda row: bytes(row.hash).hex(), css="mono wide"),
        Column("at", "Sealed", value=lambda row: row.at),
    ],
    sort="-sequence",
    empty=Empty("No root yet", "A few seconds after the first entry the first root seals it.", "link"),
)


def root_rows() -> QuerySet[AuditRoot]:
    """Without their lists of leaves."""
    return AuditRoot.objects.defer("leaves")


def _entry_rows(request: PageRequest, rows: list[AuditEntry]) -> list[EntryRow]:
    names = actor_names(request.organisation, actors_of(rows))
    return [
        EntryRow(
            pk=row.pk,
            id=row.pk,
            at=row.at,
            actor=names[row.actor_kind, row.actor_id],
            words=action_words(row.action),
            action=row.action,
            thing=thing_words(row.object_type),
            object_id=row.object_id or _listed(row.data),
            request_id=row.request_id,
        )
        for row in rows
    ]


def _listed(data: dict[str, Any]) -> str:
    return f"{data['count']} on the page" if isinstance(data.get("count"), int) else ""


def _decision_row(row: DecisionRecord) -> DecisionRow:
    return DecisionRow(
        pk=row.pk,
        id=row.pk,
        at=row.decided_at,
        words=kind_words(row.kind),
        kind=row.kind,
        subject=f"{thing_words(row.subject_type)} {row.subject_id[-12:]}",
        outcome=outcome_words(row.output),
        model=row.adapter or row.model,
        latency_ms=row.latency_ms,
    )


def outcome_words(output: dict[str, Any]) -> str:
    """What was decided, in a word or two, of any kind of decision."""
    for name in ("outcome", "label", "band", "finish_reason"):
        if isinstance(found := output.get(name), str):
            return FINISHES.get(found) or found.replace("_", " ").capitalize()
    if isinstance(removed := output.get("removed"), dict):
        return f"{sum(removed.values())} identifiers removed"
    return ""


def _by_actor(found: QuerySet[AuditEntry], value: str) -> QuerySet[AuditEntry]:
    kind, _, id = value.partition(":")
    return found.filter(actor_kind=kind, actor_id=id)


def _actor_choices(request: PageRequest) -> Choices:
    """Whoever has acted, and whoever the address asks for."""
    wanted = set(actors_of_trail(organisation=request.organisation, most=MOST_ACTORS))
    asked, _, id = request.GET.get("actor", "").partition(":")
    if asked in ("person", "key", "client", "system") and id:
        wanted.add((asked, id))
    names = actor_names(request.organisation, wanted)
    return sorted(
        ((f"{kind}:{id}", names[kind, id]) for kind, id in wanted), key=lambda pair: pair[1].lower()
    )
