"""Versions of an organisation's model: read, and taken in."""

from typing import Any
from uuid import UUID

from apps.fraud.bundles.models import ModelInForce, ModelMove, ModelVersion
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import NotFound
from rootstock.paging import take_page
from rootstock.webhooks.services import event_emit

TRAINED = "fraud.model_trained"


def in_force_locked(organisation: Organisation) -> ModelInForce:
    """Which model scores, until the transaction commits nobody else's. Call it inside `tenant()`."""
    ModelInForce.objects.bulk_create([ModelInForce(organisation=organisation)], ignore_conflicts=True)
    return ModelInForce.objects.select_for_update(of=("self",)).select_related("current").get()


def in_force(*, organisation: Organisation) -> ModelInForce:
    """Which model scores; one that is not stored if nothing ever moved."""
    with tenant(organisation):
        found = ModelInForce.objects.select_related("current").first()
    return found or ModelInForce(organisation=organisation)


def versions_page(
    *, organisation: Organisation, cursor: str | None = None, limit: int = 50
) -> tuple[list[ModelVersion], str | None]:
    """Versions, newest first."""
    with tenant(organisation):
        return take_page(ModelVersion.objects.all(), cursor=cursor, limit=limit)


def version_get(*, organisation: Organisation, number: int) -> ModelVersion:
    """One version. Raises NotFound."""
    with tenant(organisation):
        return version_numbered(number)


def version_numbered(number: int) -> ModelVersion:
    """The same, inside `tenant()`."""
    found = ModelVersion.objects.filter(number=number).first()
    if found is None:
        raise NotFound(f"there is no model number {number}")
    return found


def moves_page(
    *, organisation: Organisation, cursor: str | None = None, limit: int = 50
) -> tuple[list[ModelMove], str | None]:
    """What scored, newest first."""
    with tenant(organisation):
        found = ModelMove.objects.select_related("before", "after")
        return take_page(found, cursor=cursor, limit=limit)


def version_register(
    *,
    organisation: Organisation,
    card: dict[str, Any],
    files: dict[str, str],
    job_id: UUID | None,
    made_by: str,
) -> ModelVersion:
    """Take in a bundle whose files are stored, as the next version; the same bundle again is the version that it is.

    Nothing scores by it yet.
    """
    with tenant(organisation) as owner:
        in_force_locked(organisation)  # numbers are given out one at a time
        known = ModelVersion.objects.filter(digest=card["digest"]).first()
        if known is not None:
            return known
        last = ModelVersion.objects.order_by("-number").values_list("number", flat=True).first()
        row = ModelVersion.objects.create(
            organisation_id=owner, number=(last or 0) + 1, digest=card["digest"], card=card, files=files,
            bytes=card["bytes"], job_id=job_id, made_by=made_by,
        )  # fmt: skip
        data = {"model": row.reference, "number": row.number}
        audit_record(
            organisation=organisation,
            action="fraud_model.trained",
            object_type="fraud_model",
            object_id=row.pk,
            data=data,
        )
        event_emit(organisation=organisation, type=TRAINED, data=data)
    return row
