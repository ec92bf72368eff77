"""What workers should keep in memory: what somebody said so of, and what an alias serves or is about to."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from rootstock.accounts.tenancy import every_tenant
from rootstock.registry.models import AdapterVersion, Alias, Keep, Promotion


@dataclass(slots=True, frozen=True)
class Wish:
    """An adapter that should be in memory before it is asked for; a pinned one stays whatever else is."""

    organisation: UUID
    digest: str
    reference: str
    pinned: bool


def wishes(fingerprint: str) -> list[Wish]:
    """Of all organisations, for the base of this fingerprint: pinned ones first, then the newest."""
    with every_tenant("residency"):
        named = Alias.objects.values_list("current", "canary", "shadow")
        serving = {version for row in named for version in row if version}
        serving |= set(Promotion.objects.filter(state=Promotion.State.OPEN).values_list("version", flat=True))
        rows = AdapterVersion.objects.filter(base__fingerprint=fingerprint, retired_at=None)
        wanted = rows.filter(Q(keep__in=(Keep.WARM, Keep.PINNED)) | Q(pk__in=serving)).order_by("-pk")
        found = [
            Wish(row.organisation_id, row.digest, row.reference, row.keep == Keep.PINNED)
            for row in wanted.only("organisation_id", "digest", "name", "keep")
        ]
    return sorted(found, key=lambda wish: not wish.pinned)


def retired(references: Collection[str]) -> set[str]:
    """Those of the references that no organisation serves any more, and some has retired."""
    names = {reference.partition("@")[0] for reference in references}
    with every_tenant("residency"):
        named = AdapterVersion.objects.filter(name__in=names)
        rows = list(named.only("name", "digest", "retired_at"))
    living = {row.reference for row in rows if not row.retired_at}
    return {row.reference for row in rows if row.retired_at} & set(references) - living
