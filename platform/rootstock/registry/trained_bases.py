"""Bases that organisations train: taking one into the registry, reading them, finding the one that is to be served."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, Q

from models_zoo.llm.card import read_card
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import every_tenant, tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, InvalidInput, NotFound
from rootstock.privacy.persons import name_of
from rootstock.registry.base import base_row
from rootstock.registry.models import BaseModel, Dataset, TrainedBase
from rootstock.webhooks.services import event_emit

MOST = 200
REFERENCE = re.compile(r"([a-z0-9][a-z0-9-]{1,62})@([0-9a-f]{12})")


@dataclass(slots=True, frozen=True)
class Lineage:
    """Where a new base came from. data: see `TrainedBase`."""

    parent: BaseModel
    job_id: UUID
    recipe: str
    dataset_id: UUID
    data: dict[str, Any]
    settings: dict[str, Any]
    metrics: dict[str, float]


def trained_base_register(
    *,
    organisation: Organisation,
    name: str,
    target: Path,
    files: dict[str, str],
    bytes_: int,
    lineage: Lineage,
    created_by: str = "",
) -> TrainedBase:
    """Take a base whose files are stored into the registry. The same content again gives the row that is there.

    created_by: who, if not the actor.

    Raises Conflict when its data set was destroyed while it was trained on.
    """
    with tenant(organisation) as owner:
        dataset = Dataset.objects.select_for_update().get(pk=lineage.dataset_id)
        if dataset.erased_at:
            raise Conflict("the data set was destroyed with the erasure of a person while it was trained on")
        row, created = TrainedBase.objects.get_or_create(
            organisation_id=owner,
            base=base_row(read_card(target)),
            defaults={
                "parent": lineage.parent,
                "name": name,
                "recipe": lineage.recipe,
                "job_id": lineage.job_id,
                "dataset": dataset,
                "data": lineage.data,
                "settings": lineage.settings,
                "metrics": lineage.metrics,
                "files": files,
                "bytes": bytes_,
                "created_by": created_by or name_of(),
            },
        )
        if created:
            data = {"base": row.reference}
            event_emit(organisation=organisation, type="base.registered", data=data)
            audit_record(
                organisation=organisation,
                action="base.registered",
                object_type="base",
                object_id=row.base_id,
                data={"fingerprint": row.base.fingerprint, "parent": lineage.parent.fingerprint, **data},
            )
    return row


def bases(*, organisation: Organisation | UUID) -> list[BaseModel]:
    """Bases that a worker has served, and those that the organisation trained, newest first.

    Each has `lineage`, a list of the organisation's own `TrainedBase` of it, or of none.
    """
    with tenant(organisation):
        own = TrainedBase.objects.select_related("parent", "dataset")
        rows = BaseModel.objects.filter(
            Q(served_at__isnull=False) | Exists(own.filter(base=OuterRef("pk")))
        ).prefetch_related(Prefetch("trainings", own, to_attr="lineage"))
        return list(rows.order_by("-created_at"))


def base_get(*, organisation: Organisation | UUID, base_id: UUID) -> BaseModel:
    """One of them, likewise."""
    found = next((one for one in bases(organisation=organisation) if one.pk == base_id), None)
    if found is None:
        raise NotFound("no such base")
    return found


def trained_base_named(*, organisation: Organisation | UUID, reference: str) -> TrainedBase:
    """The organisation's trained base `name@fingerprint`. Raises InvalidInput or NotFound naming `base`."""
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise InvalidInput.field("base", "must look like name@0123456789ab, or be empty for the served base")
    with tenant(organisation):
        found = _named(match)
    if found is None:
        raise NotFound(f"base: your organisation has trained no base {reference}")
    return found


def trained_bases(*, organisation: Organisation | UUID) -> list[TrainedBase]:
    """Those that the organisation trained, the newest first."""
    with tenant(organisation):
        return list(TrainedBase.objects.select_related("base").order_by("-pk")[:MOST])


def lineage_with(*, organisation: Organisation | UUID, fingerprint: str) -> TrainedBase | None:
    """The organisation's training that made exactly this base."""
    with tenant(organisation):
        return TrainedBase.objects.select_related("base").filter(base__fingerprint=fingerprint).first()


def trained_base_of_any(reference: str) -> TrainedBase | None:
    """The same of whichever organisation: an operator serves it to all."""
    match = REFERENCE.fullmatch(reference)
    with every_tenant("bases"):
        return _named(match) if match else None


def _named(match: re.Match[str]) -> TrainedBase | None:
    rows = TrainedBase.objects.select_related("base")
    return rows.filter(name=match.group(1), base__fingerprint__startswith=match.group(2)).first()
