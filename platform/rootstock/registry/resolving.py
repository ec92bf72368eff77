"""What a name means now: an alias is resolved when a request is admitted, so that a move holds for all workers."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import FieldProblem, Forbidden, InvalidInput
from rootstock.registry.fitness import unfit
from rootstock.registry.models import AdapterVersion, Alias, Promotion
from rootstock.registry.selectors import version_named

TRY = "adapters:write"  # the scope of those who may try a version that no two people have agreed on


@dataclass(slots=True, frozen=True)
class Resolved:
    """The version that answers one request, and the one whose answer is compared with it, unseen."""

    alias: Alias
    version: AdapterVersion
    shadow: AdapterVersion | None


def resolve(name: str, key: str) -> Resolved | None:
    """What the alias `name` means for the request `key`; None when there is no such alias. Inside `tenant()`.

    The same key gets the same version for as long as a canary lasts, also while its share grows.
    """
    rows = Alias.objects.select_related("current__base", "canary__base", "shadow__base")
    alias = rows.filter(name=name).first()
    if alias is None:
        return None
    version, shadow = alias.current, alias.shadow
    if alias.canary and place(alias.canary, key) < alias.canary_share:
        version = alias.canary
    if shadow and (version != alias.current or place(shadow, key) >= alias.shadow_share):
        shadow = None
    return Resolved(alias, version, shadow)


def place(version: AdapterVersion, key: str) -> float:
    """Where a key lies among all, from 0 to 1, evenly, and otherwise for every version."""
    digest = hashlib.sha256(f"{version.digest}\n{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def version_to_serve(
    *, organisation: Organisation | UUID, reference: str, field: str = "adapter", tried: bool = True
) -> AdapterVersion:
    """The version that `name@digest` names, which can be served; unless it is only `tried`, one agreed on.

    Raises InvalidInput, NotFound or Forbidden naming `field`.
    """
    with tenant(organisation):
        version = version_named(reference, field)
        if why := unfit(version):
            raise InvalidInput.field(field, f"{reference} {why}")
        if not tried:
            check_agreed(version, field)
    return version


def check_agreed(version: AdapterVersion, field: str) -> None:
    """Raise Forbidden, naming `field`, for a version that no two people have agreed on. Inside `tenant()`."""
    if not agreed_on([version]):
        why = f"{version.reference} has not been agreed on by a second person: ask for its promotion"
        told = f"{why}. Whoever has adapters:write may try it before"
        raise Forbidden(f"{field}: {told}", errors=[FieldProblem(field, told)])


def agreed_on(versions: Collection[AdapterVersion]) -> set[UUID]:
    """Those of them that two people let some alias serve, now or before. Inside `tenant()`."""
    approved = Promotion.objects.filter(version__in=versions, state=Promotion.State.APPROVED)
    return set(approved.values_list("version_id", flat=True))
