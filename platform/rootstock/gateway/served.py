"""What `model` may name: the base, one of the organisation's adapters, an alias, or a name that means one of them."""

import re
import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.db.models import Count

from models_zoo.llm.card import BASE_CARD_FILE, BaseCard
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import FieldProblem, InvalidInput, NotFound, Unavailable
from rootstock.registry.base import base_card, base_folder
from rootstock.registry.fitness import fit, unfit
from rootstock.registry.models import AdapterVersion, Alias
from rootstock.registry.resolving import agreed_on, check_agreed, resolve

BASE = "base"
MOST_LISTED = 1000
_NAME = re.compile(r"([a-z0-9][a-z0-9-]{1,62})(?:@([0-9a-f]{12}))?")
_LOOKED_AT = 5  # versions of a name


class ModelNotFound(NotFound):
    """No model of this name can be used by this organisation."""

    code = "model_not_found"


@dataclass(slots=True, frozen=True)
class Served:
    """A model that answers. `id` is its exact name: `base`, or `name@digest`; `digest` is an adapter's, whole.

    `alias` is what it was asked for as, where that is an alias, and `shadow` the digest of the version whose answer is
    compared with its own.
    """

    id: str
    task: str
    fingerprint: str  # of the base, whichever adapter is on it
    root: str  # the base's name
    created: int  # Unix seconds
    size: int  # of its vectors
    parent: str | None = None
    digest: str = ""
    aliases: tuple[str, ...] = ()
    alias: str = ""
    shadow: str = ""

    @property
    def adapter(self) -> str:
        """The adapter's reference; empty for the base alone."""
        return "" if self.parent is None else self.id


def models_list(organisation: Organisation | UUID, *, tries: bool = False) -> list[Served]:
    """The base and the organisation's adapters, newest first. Adapters of another base are not served.

    tries: with those that no two people have agreed on yet.
    """
    card = _card()
    with tenant(organisation):
        rows = fit(AdapterVersion.objects.select_related("base"), card.fingerprint)
        versions = list(rows.order_by("-created_at")[:MOST_LISTED])
        if not tries:
            agreed = agreed_on(versions)
            versions = [one for one in versions if one.pk in agreed]
        names = _names_of(versions)
    return [_base(card), *(_adapter(each, card, names.get(each.pk, [])) for each in versions)]


def model_find(
    organisation: Organisation | UUID,
    name: str,
    task: str | None = None,
    key: str = "",
    *,
    tries: bool = False,
) -> Served:
    """The model that `name` means. Raises ModelNotFound or InvalidInput naming `model`, and never gives another.

    With `task` an adapter made for another task is refused; the base is for every task. `key` says whose request it
    is, or which: of an alias with a canary the same key gets the same version. tries: whoever asks may also try a
    version that no two people have agreed on; to others it is Forbidden.
    """
    card = _card()
    if name == BASE:
        return _base(card)
    with tenant(organisation):
        if ":" in name:
            found = _resolved(name, key or secrets.token_hex(8), card)
        else:
            version = _version(name)
            _refuse_unfit(version)
            if not tries:
                check_agreed(version, "model")
            found = _adapter(version, card, _names_of([version]).get(version.pk, []))
    if task and found.task != task:
        raise InvalidInput.field("model", f"{found.id} is an adapter for {found.task}, not for {task}")
    return found


def _resolved(name: str, key: str, card: BaseCard) -> Served:
    means = resolve(name, key)
    if means is None:
        raise _unknown(f"your organisation has no alias {name[:84]!r}")
    _refuse_unfit(means.version)
    served = _adapter(means.version, card, [name])
    shadow = means.shadow.digest if means.shadow and not unfit(means.shadow) else ""
    return replace(served, alias=name, shadow=shadow)


def _version(name: str) -> AdapterVersion:
    """The one that the name means. Within a tenant."""
    match = _NAME.fullmatch(name)
    found: list[AdapterVersion] = []
    if match:
        versions = AdapterVersion.objects.select_related("base").filter(name=match.group(1))
        found = list(versions.filter(digest__startswith=match.group(2) or "").order_by("-created_at"))
    living = [version for version in found if not version.retired_at][:_LOOKED_AT]
    if not living:
        told = (
            f"{found[0].reference} is retired" if found else f"your organisation has no model {name[:80]!r}"
        )
        raise _unknown(told)
    if len(living) > 1:
        several = ", ".join(version.reference for version in living)
        raise InvalidInput.field("model", f"{name} has several versions; name one of {several}")
    return living[0]


def _refuse_unfit(version: AdapterVersion) -> None:
    if why := unfit(version):
        raise InvalidInput.field("model", f"{version.reference} {why}")


def _unknown(told: str) -> ModelNotFound:
    return ModelNotFound(f"model: {told}", errors=[FieldProblem("model", told)])


def _names_of(versions: Sequence[AdapterVersion]) -> dict[UUID, list[str]]:
    """What else each version is called: its aliases, and its bare name where that means no other. Within a tenant."""
    names = defaultdict(list)
    single = _single_names(*{version.name for version in versions})
    for version in versions:
        if version.name in single and not version.retired_at:
            names[version.pk].append(version.name)
    for alias, version_id in Alias.objects.filter(current__in=versions).values_list("name", "current_id"):
        names[version_id].append(alias)
    return names


def _single_names(*names: str) -> set[str]:
    """Of these names those that mean exactly one version. Within a tenant."""
    versions = AdapterVersion.objects.filter(name__in=names, retired_at=None)
    counted = versions.values("name").annotate(versions=Count("pk")).filter(versions=1)
    return set(counted.values_list("name", flat=True))


def _card() -> BaseCard:
    card = base_card()
    if card is None:
        raise Unavailable("no base model has been converted yet", retry_after=5)
    return card


def _base(card: BaseCard) -> Served:
    since = int((base_folder() / BASE_CARD_FILE).stat().st_mtime)
    return Served(BASE, "any", card.fingerprint, card.name, since, card.config.hidden_size)


def _adapter(version: AdapterVersion, card: BaseCard, names: Sequence[str]) -> Served:
    return Served(
        version.reference,
        version.task,
        version.base.fingerprint,
        card.name,
        int(version.created_at.timestamp()),
        card.config.hidden_size,
        parent=BASE,
        digest=version.digest,
        aliases=tuple(names),
    )
