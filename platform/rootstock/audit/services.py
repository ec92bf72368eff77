"""Writes of the audit trail."""

from typing import Any
from uuid import UUID

from rootstock.accounts.actors import Actor, current_actor
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.middleware import request_id


def audit_record(
    *,
    organisation: Organisation | UUID,
    action: str,
    object_type: str,
    object_id: object = "",
    data: dict[str, Any] | None = None,
    actor: Actor | None = None,
) -> None:
    """Append one entry in the transaction of what it tells of. `data` holds ids, names of fields and settings."""
    who = actor or current_actor()
    with tenant(organisation) as organisation_id:
        AuditEntry.objects.create(
            organisation_id=organisation_id,
            actor_kind=who.kind,
            actor_id=who.id,
            action=action,
            object_type=object_type,
            object_id=str(object_id),
            data=data or {},
            request_id=request_id.get(),
        )
