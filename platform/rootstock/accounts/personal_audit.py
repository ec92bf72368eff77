"""What a person does with their own account is told in the trail of each organisation they belong to."""

from typing import Any

from rootstock.accounts.actors import Actor
from rootstock.accounts.models import User
from rootstock.accounts.selectors import memberships_of
from rootstock.audit.services import audit_record


def personal_record(user: User, action: str, data: dict[str, Any] | None = None) -> None:
    """Append the entry to each of the trails, with the person as actor."""
    for membership in memberships_of(user):
        audit_record(
            organisation=membership.organisation_id,
            action=action,
            object_type="person",
            object_id=user.pk,
            data=data,
            actor=Actor("person", str(user.pk)),
        )
