"""What a name means now: an alias is resolved when a request is admitted, so that a move holds for all workers."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import FieldProblem, Forbidden, InvalidInput, NotFound
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


@dataclass(slots=True, frozen=True)
class Chosen:
    """The adapter of one request of a vertical, as it was resolved when that was admitted; all empty: none.

    `reference` is shown and recorded, workers go by `digest`. `alias` is what it was asked for as, where that is one,
    and `shadow` the digest of the version whose answer is compared with its own.
    """

    reference: str = ""
    digest: str = ""
    alias: str = ""
    shadow: str = ""


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


def choose(
    *,
    organisation: Organisation | UUID,
    name: str,
    task: str,
    key: str,
    field: str = "adapter",
    tried: bool = True,
) -> Chosen:
    """What `name@digest`, or an alias such as `support-tone:production`, means for the request `key`; see `resolve`
    and `version_to_serve`. Raises InvalidInput, NotFound or Forbidden naming `field`; never gives another."""
    if ":" not in name:
        version = version_to_serve(organisation=organisation, reference=name, field=field, tried=tried)
        found = Chosen(version.reference, version.digest)
    else:
        with tenant(organisation):
            means = resolve(name, key)
            if means is None:
                raise NotFound(f"{field}: your organisation has no alias {name[:84]!r}")
            version, shadow = means.version, means.shadow
            if why := unfit(version):
                raise InvalidInput.field(field, f"{version.reference}, which {name} serves, {why}")
            compared = shadow.digest if shadow and not unfit(shadow) else ""
        found = Chosen(version.reference, version.digest, name, compared)
    if version.task != task:
        raise InvalidInput.field(
            field, f"{version.reference} is an adapter for {version.task}, not for {task}"
        )
    return found


def choose_own(*, organisation: Organisation | UUID, alias: str, task: str, key: str) -> Chosen:
    """What the alias that a vertical asks for by itself means for the request `key`; none where the organisation has
    no such alias: then what ships with Rootstock answers. Raises InvalidInput when it serves what cannot be."""
    with tenant(organisation):
        if not Alias.objects.filter(name=alias).exists():
            return Chosen()
    return choose(organisation=organisation, name=alias, task=task, key=key)


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
