"""What a person does with their own account is told in the trail of each organisation they belong to."""

from typing import Any

from rootstock.accounts.actors import Actor
from rootstock.accounts.models import User
from rootstock.accounts.selectors import memberships_of
from rootstock.audit.services import audit_record

SOMEBODY = Actor("system", "sign-in")  # who tries to sign in has not shown who they are


def personal_record(
    user: User, action: str, data: dict[str, Any] | None = None, actor: Actor | None = None
) -> None:
    """Append the entry to each of the trails, with the person as actor unless another is given."""
    for membership in memberships_of(user):
        audit_record(
            organisation=membership.organisation_id,
            action=action,
            object_type="person",
            object_id=user.pk,
            data=data,
            actor=actor or Actor("person", str(user.pk)),
        )
