"""Versions of the rules: written, numbered, and never changed."""

import json
from hashlib import sha256
from typing import Any

from apps.fraud.rules.checking import definition_check
from apps.fraud.rules.models import RulesInForce, RulesMove, RulesVersion
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import NotFound
from rootstock.paging import take_page
from rootstock.privacy.persons import name_of


def version_make(*, organisation: Organisation, definition: dict[str, Any], note: str = "") -> RulesVersion:
    """Store rules as the next version; the same rules again are the version that they are. Raises InvalidInput."""
    definition_check(definition)
    digest = sha256(json.dumps(definition, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    with tenant(organisation) as owner:
        in_force_locked(organisation)
        known = RulesVersion.objects.filter(digest=digest).first()
        if known:
            return known
        last = RulesVersion.objects.order_by("-number").values_list("number", flat=True).first()
        made = RulesVersion.objects.create(
            organisation_id=owner, number=(last or 0) + 1, definition=definition, digest=digest, note=note.strip(),
            made_by=name_of(),
        )  # fmt: skip
        audit_record(
            organisation=organisation,
            action="rules.written",
            object_type="rules",
            object_id=made.pk,
            data={"rules": made.reference},
        )
    return made


def in_force_locked(organisation: Organisation) -> RulesInForce:
    """What is in force, until the end of the transaction nobody else's. Call it inside `tenant()`."""
    rows = RulesInForce.objects.select_for_update(of=("self",)).select_related("current", "shadow")
    row = rows.first()
    if row is None:
        RulesInForce.objects.bulk_create([RulesInForce(organisation=organisation)], ignore_conflicts=True)
        row = rows.get()
    return row


def in_force(*, organisation: Organisation) -> RulesInForce:
    """What is in force."""
    with tenant(organisation):
        row = RulesInForce.objects.select_related("current", "shadow").first()
    return row or RulesInForce(organisation=organisation)


def version_numbered(number: int) -> RulesVersion:
    """A version. Raises NotFound. Call it inside `tenant()`."""
    row = RulesVersion.objects.filter(number=number).first()
    if row is None:
        raise NotFound(f"version: there is no version {number} of the rules")
    return row


def version_get(*, organisation: Organisation, number: int) -> RulesVersion:
    """A version. Raises NotFound."""
    with tenant(organisation):
        return version_numbered(number)


def versions_page(
    *, organisation: Organisation, cursor: str | None = None, limit: int = 50
) -> tuple[list[RulesVersion], str | None]:
    """Versions, newest first."""
    with tenant(organisation):
        return take_page(RulesVersion.objects.defer("definition"), cursor=cursor, limit=limit)


def moves_page(
    *, organisation: Organisation, cursor: str | None = None, limit: int = 50
) -> tuple[list[RulesMove], str | None]:
    """What was in force, newest first."""
    with tenant(organisation):
        return take_page(RulesMove.objects.all(), cursor=cursor, limit=limit)
