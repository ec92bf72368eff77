"""That a reference means one content: two whose names and first digits are the same are not both taken."""

from typing import Any
from uuid import UUID

from django.db import IntegrityError

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict
from rootstock.registry.models import DIGITS, AdapterVersion


def reference_check(*, organisation: Organisation | UUID, name: str, digest: str) -> None:
    """Raise Conflict, naming the version that is there, when the organisation's `name@digest` means another content."""
    with tenant(organisation) as owner:
        rows = AdapterVersion.objects.filter(
            organisation_id=owner, name=name, digest__startswith=digest[:DIGITS]
        )
        there = rows.exclude(digest=digest).first()
    if there:
        raise Conflict(
            f"name: {there.reference} is another adapter here, of the SHA-256 {there.digest} "
            f"(this one's is {digest}): give this one another name"
        )


def version_ensure(owner: UUID, *, name: str, digest: str, **given: Any) -> tuple[AdapterVersion, bool]:
    """The version of this content, and whether it had to be made. Inside `tenant()`; raises what `reference_check`
    does, also when two come at once: the database takes one."""
    try:
        return AdapterVersion.objects.get_or_create(
            organisation_id=owner, digest=digest, defaults={"name": name, **given}
        )
    except IntegrityError:
        reference_check(organisation=owner, name=name, digest=digest)
        raise
