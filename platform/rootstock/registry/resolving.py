"""What a name means now: an alias is resolved when a request is admitted, so that a move holds for all workers."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput
from rootstock.registry.fitness import unfit
from rootstock.registry.models import AdapterVersion, Alias
from rootstock.registry.selectors import version_named


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
    *, organisation: Organisation | UUID, reference: str, field: str = "adapter"
) -> AdapterVersion:
    """The version that `name@digest` names, which can be served. Raises InvalidInput or NotFound naming `field`."""
    with tenant(organisation):
        version = version_named(reference, field)
        if why := unfit(version):
            raise InvalidInput.field(field, f"{reference} {why}")
    return version
