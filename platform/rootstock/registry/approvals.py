"""Who agreed that a version serves, and when: the same on its page, on its card, and over REST."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.registry.models import AdapterVersion, Promotion
from rootstock.registry.persons import Names


@dataclass(slots=True, frozen=True)
class Approval:
    """The last promotion of a version that a second person agreed to.

    `requested_by` and `approved_by` are kind and id, `requester` and `approver` names, of a key with whoever made it.
    """

    alias: str
    requested_by: str
    requester: str
    approved_by: str
    approver: str
    approved_at: datetime | None
    because: str


def approvals_of(
    *, organisation: Organisation | UUID, versions: Collection[AdapterVersion]
) -> dict[UUID, Approval]:
    """Of each version the last one, where there is one, by the versions' keys."""
    with tenant(organisation):
        agreed = Promotion.objects.filter(version__in=versions, state=Promotion.State.APPROVED)
        last = {one.version_id: one for one in agreed.order_by("decided_at")}
    people = [name for one in last.values() for name in (one.requested_by, one.decided_by)]
    names = Names(organisation, people)
    return {key: _approval(one, names) for key, one in last.items()}


def _approval(one: Promotion, names: Names) -> Approval:
    return Approval(
        alias=one.alias, requested_by=one.requested_by, requester=names.of(one.requested_by),
        approved_by=one.decided_by, approver=names.of(one.decided_by), approved_at=one.decided_at,
        because=one.because,
    )  # fmt: skip
