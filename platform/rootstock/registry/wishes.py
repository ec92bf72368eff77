"""What workers should keep in memory: what somebody said so of, and what an alias serves or is about to."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from rootstock.accounts.tenancy import every_tenant
from rootstock.registry.fitness import allowed, fit
from rootstock.registry.models import AdapterVersion, Alias, Keep, Promotion


@dataclass(slots=True, frozen=True)
class Wish:
    """An adapter that should be in memory before it is asked for; a pinned one stays whatever else is. One that is
    kept was asked to be, and goes from memory as soon as nobody asks so any more."""

    organisation: UUID
    digest: str
    kept: bool
    pinned: bool


def wishes(fingerprint: str) -> list[Wish]:
    """Of all organisations, for the base of this fingerprint: pinned ones first, then the newest."""
    with every_tenant("residency"):
        named = Alias.objects.values_list("current", "canary", "shadow")
        serving = {version for row in named for version in row if version}
        serving |= set(Promotion.objects.filter(state=Promotion.State.OPEN).values_list("version", flat=True))
        rows = fit(AdapterVersion.objects.all(), fingerprint)
        wanted = rows.filter(Q(keep__in=(Keep.WARM, Keep.PINNED)) | Q(pk__in=serving)).order_by("-pk")
        found = [
            Wish(row.organisation_id, row.digest, bool(row.keep), row.keep == Keep.PINNED)
            for row in wanted.only("organisation_id", "digest", "keep")
        ]
    return sorted(found, key=lambda wish: not wish.pinned)


def ended(digests: Collection[str]) -> set[str]:
    """Those of the contents that no organisation may serve any more: each has retired it, or it was taken back."""
    with every_tenant("residency"):
        rows = AdapterVersion.objects.filter(digest__in=digests)
        known = set(rows.values_list("digest", flat=True))
        living = set(allowed(rows).filter(retired_at=None).values_list("digest", flat=True))
    return known - living
