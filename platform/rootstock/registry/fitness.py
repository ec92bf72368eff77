"""Whether a version can be served: its state, its base, and whether it still may be used here."""

from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput, NotFound
from rootstock.registry.base import base_card
from rootstock.registry.models import AdapterGrant, AdapterVersion, Origin


def unfit(version: AdapterVersion) -> str:
    """Why a version cannot be served; empty if it can. Inside `tenant()`."""
    card = base_card()
    if version.retired_at:
        return "is retired"
    if card is None or version.base.fingerprint != card.fingerprint:
        return "was made for another base than the one served here"
    if version.origin == Origin.SHARED and not allowed(AdapterVersion.objects.filter(pk=version.pk)).exists():
        return "was taken back by the organisation that shared it"
    return ""


def fit(rows: "QuerySet[AdapterVersion]", fingerprint: str) -> "QuerySet[AdapterVersion]":
    """Those of the versions that can be served on the base of this fingerprint: the same as `unfit`, of many."""
    return allowed(rows).filter(retired_at=None, base__fingerprint=fingerprint)


def allowed(rows: "QuerySet[AdapterVersion]") -> "QuerySet[AdapterVersion]":
    """Without those that another organisation shared and took back."""
    granted = AdapterGrant.objects.filter(
        to_id=OuterRef("organisation_id"), digest=OuterRef("digest"), revoked_at=None
    )
    return rows.filter(~Q(origin=Origin.SHARED) | Exists(granted))


def content_to_serve(*, organisation: Organisation | UUID, digest: str) -> AdapterVersion:
    """The organisation's version of this content, which can be served. Raises InvalidInput or NotFound."""
    with tenant(organisation) as owner:
        rows = AdapterVersion.objects.select_related("base")
        version = rows.filter(organisation_id=owner, digest=digest).first()
        if version is None:
            raise NotFound(f"adapter: your organisation has no adapter {digest}")
        if why := unfit(version):
            raise InvalidInput.field("adapter", f"{version.reference} {why}")
    return version
