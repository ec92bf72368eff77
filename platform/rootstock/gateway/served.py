"""What `model` may name: the base, one of the organisation's adapters, or a name that means exactly one of them."""

import re
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count

from models_zoo.llm.card import BASE_CARD_FILE, BaseCard
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import FieldProblem, InvalidInput, NotFound, Unavailable
from rootstock.registry.base import base_card, base_folder
from rootstock.registry.models import AdapterVersion

BASE = "base"
MOST_LISTED = 1000
_NAME = re.compile(r"([a-z0-9][a-z0-9-]{1,62})(?:@([0-9a-f]{12}))?")


class ModelNotFound(NotFound):
    """No model of this name can be used by this organisation."""

    code = "model_not_found"


@dataclass(slots=True, frozen=True)
class Served:
    """A model that answers. `id` is its exact name: `base`, or `name@digest`."""

    id: str
    task: str
    fingerprint: str  # of the base, whichever adapter is on it
    root: str  # the base's name
    created: int  # Unix seconds
    size: int  # of its vectors
    parent: str | None = None
    aliases: tuple[str, ...] = ()

    @property
    def adapter(self) -> str:
        """The adapter's reference; empty for the base alone."""
        return "" if self.parent is None else self.id


def models_list(organisation: Organisation | UUID) -> list[Served]:
    """The base and the organisation's adapters, newest first. Adapters of another base are not served."""
    card = _card()
    with tenant(organisation):
        newest = AdapterVersion.objects.select_related("base").order_by("-created_at")[:MOST_LISTED]
        versions = [version for version in newest if version.base.fingerprint == card.fingerprint]
        single = _single_names()
    return [_base(card), *(_adapter(each, card, alias=each.name in single) for each in versions)]


def model_find(organisation: Organisation | UUID, name: str, task: str | None = None) -> Served:
    """The model that `name` means. Raises ModelNotFound or InvalidInput naming `model`, and never gives another.

    With `task` an adapter made for another task is refused; the base is for every task.
    """
    if name == BASE:
        return _base(_card())
    version, card = _version(organisation, name), _card()
    with tenant(organisation):
        found = _adapter(version, card, alias=version.name in _single_names(version.name))
    if found.fingerprint != card.fingerprint:
        raise InvalidInput.field("model", f"{found.id} was made for another base than the one served here")
    if task and found.task != task:
        raise InvalidInput.field("model", f"{found.id} is an adapter for {found.task}, not for {task}")
    return found


def _version(organisation: Organisation | UUID, name: str) -> AdapterVersion:
    match = _NAME.fullmatch(name)
    found: list[AdapterVersion] = []
    if match:
        with tenant(organisation):
            versions = AdapterVersion.objects.select_related("base").filter(name=match.group(1))
            found = list(versions.filter(digest__startswith=match.group(2) or "").order_by("-created_at")[:5])
    if not found:
        told = f"your organisation has no model {name[:80]!r}"
        raise ModelNotFound(f"model: {told}", errors=[FieldProblem("model", told)])
    if len(found) > 1:
        several = ", ".join(version.reference for version in found)
        raise InvalidInput.field("model", f"{name} has several versions; name one of {several}")
    return found[0]


def _single_names(*names: str) -> set[str]:
    """Of these names, or of all, those that mean exactly one version. Within a tenant."""
    versions = AdapterVersion.objects.filter(name__in=names) if names else AdapterVersion.objects.all()
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


def _adapter(version: AdapterVersion, card: BaseCard, *, alias: bool) -> Served:
    return Served(
        version.reference,
        str(version.card.get("task", "chat")),
        version.base.fingerprint,
        card.name,
        int(version.created_at.timestamp()),
        card.config.hidden_size,
        parent=BASE,
        aliases=(version.name,) if alias else (),
    )
