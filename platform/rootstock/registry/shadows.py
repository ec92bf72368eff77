"""What comes of an alias's shadow: a day's sums, and no text."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.registry.models import AdapterVersion, Alias, ShadowTally


@dataclass(slots=True, frozen=True)
class Compared:
    """Two answers to one request: their agreement, 0 to 1, whether they are the same, and how long each took."""

    agreement: float
    same: bool
    current_ms: float
    shadow_ms: float


def shadow_tally(
    *, organisation: Organisation | UUID, alias: str, versions: tuple[str, str], compared: Compared | None
) -> None:
    """Add one comparison of two versions, by their digests, to the day's sums; None counts a shadow that could not
    answer.

    An alias or version that is gone meanwhile counts nothing.
    """
    with tenant(organisation) as owner:
        row = Alias.objects.filter(name=alias).first()
        found = {one.digest: one for one in AdapterVersion.objects.filter(digest__in=versions)}
        if row is None or not set(versions) <= set(found):
            return
        current, shadow = (found[digest] for digest in versions)
        tally, _ = ShadowTally.objects.get_or_create(
            organisation_id=owner, alias=row, current=current, shadow=shadow, day=timezone.now().date()
        )
        added = _added(compared)
        ShadowTally.objects.filter(pk=tally.pk).update(**{name: F(name) + by for name, by in added.items()})


def _added(compared: Compared | None) -> dict[str, float]:
    if compared is None:
        return {"failed": 1}
    return {
        "compared": 1,
        "same": int(compared.same),
        "agreement": compared.agreement,
        "current_ms": compared.current_ms,
        "shadow_ms": compared.shadow_ms,
    }
