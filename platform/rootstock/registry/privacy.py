"""Data sets and privacy: those that hold a person, the adapters trained on them, and for how long they are kept."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from rootstock.files.contents import content_open
from rootstock.privacy.holdings import Content, Expiring, Holdings, Kind
from rootstock.privacy.holds import held_subjects
from rootstock.privacy.keys import SubjectKey
from rootstock.registry.datasets.services import dataset_empty
from rootstock.registry.models import AdapterVersion, Dataset, TrainedBase


def _datasets(key: SubjectKey) -> "QuerySet[Dataset]":
    """Those whose content is still there."""
    return Dataset.objects.filter(persons__subject=key).exclude(file=None).order_by("pk")


def _rows(key: SubjectKey) -> Iterator[dict[str, Any]]:
    for row in _datasets(key):
        yield {
            "id": row.pk, "name": row.name, "examples": row.rows, "persons": row.persons.count(),
            "uploaded_at": row.created_at,
        }  # fmt: skip


def _contents(key: SubjectKey) -> Iterator[Content]:
    """Only of those that hold nobody else: an export tells nobody of others."""
    for row in _datasets(key).select_related("file__subject"):
        if row.file and row.persons.count() == 1:
            yield Content(f"datasets/{row.pk}.jsonl", partial(content_open, row.file))


def _adapters(key: SubjectKey) -> Iterator[str]:
    """Those that learned from a data set with the person, blended or replayed ones too, and what was trained on from
    there."""
    held = Dataset.objects.filter(persons__subject=key)
    hashes = list(held.values_list("sha256", flat=True))
    learned = (
        Q(dataset__in=held) | Q(card__data__mix__sha256__in=hashes) | Q(card__data__replay__sha256__in=hashes)
    )
    found: dict[UUID, AdapterVersion] = {}
    rows = AdapterVersion.objects.filter(learned)
    while new := {row.pk: row for row in rows if row.pk not in found}:
        found |= new
        rows = AdapterVersion.objects.filter(parent__in=new)
    for _, row in sorted(found.items()):
        yield row.reference
    bases: dict[UUID, TrainedBase] = {}
    blended = Q(data__mix__sha256__in=hashes) | Q(data__replay__sha256__in=hashes)
    made = TrainedBase.objects.select_related("base").filter(Q(dataset__in=held) | blended)
    while fresh := {row.pk: row for row in made if row.pk not in bases}:
        bases |= fresh
        made = TrainedBase.objects.select_related("base").filter(
            parent__in=[row.base_id for row in fresh.values()]
        )
    for _, base in sorted(bases.items()):
        yield base.reference


def _erase(key: SubjectKey) -> None:
    """Also where a retention rule has deleted the content before: its adapters still held the person."""
    held = Dataset.objects.select_for_update(of=("self",)).filter(persons__subject=key, erased_at=None)
    for row in held.order_by("pk"):
        dataset_empty(row, "erased")


def _delete(organisation: UUID, before: datetime, most: int) -> int:
    old = Dataset.objects.filter(created_at__lt=before).exclude(file=None)
    free = old.exclude(persons__subject__in=held_subjects())
    chosen = list(free.select_related("file").order_by("created_at")[:most])
    for row in chosen:
        dataset_empty(row, "expired")
    return len(chosen)


HOLDINGS = Holdings(
    everyone=(
        Kind(
            "registry.datasets",
            "Data sets that hold the person",
            lambda key: _datasets(key).count(),
            _rows,
            contents=_contents,
            ids=lambda key: _datasets(key).values_list("pk", flat=True),
            scrub=_erase,
            adapters=_adapters,
        ),
    ),
    expiring=(
        Expiring(
            "registry.datasets",
            "Data sets",
            "their upload",
            _delete,
            lambda: Dataset.objects.exclude(file=None).exists(),
        ),
    ),
)
