"""Reads of versions: where they serve, what was decided about them, how they were measured."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import NotFound
from rootstock.registry.models import (
    AdapterGrant,
    AdapterUpload,
    AdapterVersion,
    Alias,
    AliasMove,
    Change,
    Dataset,
    Evaluation,
    Promotion,
)

MOST_EVENTS = 100
MOST_EVALUATIONS = 50
MOST_TEST_SETS = 100
PRODUCTION = "production"


@dataclass(slots=True, frozen=True)
class Place:
    """What a version is for an alias: served to everybody, to a share of the requests, or unseen."""

    alias: Alias
    change: Change
    share: float


def version_get(*, organisation: Organisation, version_id: UUID) -> AdapterVersion:
    """One version, with what it came from."""
    with tenant(organisation):
        rows = AdapterVersion.objects.select_related("base", "dataset", "parent", "job")
        found = rows.filter(pk=version_id).first()
    if found is None:
        raise NotFound("no such adapter")
    return found


def places_of(versions: Collection[UUID]) -> dict[UUID, list[Place]]:
    """Where each of the versions serves. Call it inside `tenant()`."""
    named = Q(current__in=versions) | Q(canary__in=versions) | Q(shadow__in=versions)
    found: dict[UUID, list[Place]] = defaultdict(list)
    for alias in Alias.objects.filter(named).order_by("name"):
        for change, version, share in (
            (Change.SERVE, alias.current_id, 1.0 - alias.canary_share),
            (Change.CANARY, alias.canary_id, alias.canary_share),
            (Change.SHADOW, alias.shadow_id, alias.shadow_share),
        ):
            if version and version in versions:
                found[version].append(Place(alias, change, share))
    return found


def versions_to_choose(*, organisation: Organisation, most: int = 200) -> list[AdapterVersion]:
    """The newest versions, by name."""
    with tenant(organisation):
        newest = AdapterVersion.objects.select_related("base").order_by("-pk")[:most]
        return sorted(newest, key=lambda one: one.name)


def children_of(*, organisation: Organisation, version: AdapterVersion) -> list[AdapterVersion]:
    """Versions that were made from this one."""
    with tenant(organisation):
        return list(AdapterVersion.objects.filter(parent=version).order_by("-pk")[:MOST_EVENTS])


def grants_of(*, organisation: Organisation, version: AdapterVersion) -> list[AdapterGrant]:
    """The organisations that may use it now."""
    with tenant(organisation) as owner:
        rows = AdapterGrant.objects.filter(version=version, organisation_id=owner, revoked_at=None)
        return list(rows.select_related("to").order_by("pk")[:MOST_EVENTS])


def grant_get(*, organisation: Organisation, grant_id: UUID) -> AdapterGrant:
    """One that the organisation gave."""
    with tenant(organisation) as owner:
        found = AdapterGrant.objects.filter(pk=grant_id, organisation_id=owner).first()
    if found is None:
        raise NotFound("no such grant")
    return found


def offers_to(organisation: Organisation) -> list[AdapterGrant]:
    """What others let the organisation use and it has not taken, the newest first."""
    with tenant(organisation) as receiver:
        taken = AdapterVersion.objects.filter(organisation_id=receiver).values("digest")
        rows = AdapterGrant.objects.filter(to_id=receiver, revoked_at=None).exclude(digest__in=taken)
        return list(rows.select_related("organisation", "base").order_by("-pk")[:MOST_EVENTS])


def upload_of(*, organisation: Organisation, version: AdapterVersion) -> AdapterUpload | None:
    """The upload that became this version."""
    with tenant(organisation):
        return AdapterUpload.objects.filter(version=version).order_by("-pk").first()


def promotions_of(*, organisation: Organisation, version: AdapterVersion) -> list[Promotion]:
    """Who asked that it serves, and who decided; the newest first."""
    with tenant(organisation):
        rows = Promotion.objects.filter(version=version).select_related("version")
        return list(rows.order_by("-pk")[:MOST_EVENTS])


def moves_of(*, organisation: Organisation, version: AdapterVersion) -> list[AliasMove]:
    """How it came to serve and ceased to; the newest first."""
    with tenant(organisation):
        named = Q(before=version.reference) | Q(after=version.reference)
        return list(AliasMove.objects.filter(named).select_related("alias").order_by("-pk")[:MOST_EVENTS])


def evaluations_of(*, organisation: Organisation, version: AdapterVersion) -> list[Evaluation]:
    """How it was measured; the newest first."""
    with tenant(organisation):
        rows = Evaluation.objects.filter(version=version).select_related("dataset", "base")
        return list(rows.order_by("-pk")[:MOST_EVALUATIONS])


def test_sets_for(*, organisation: Organisation, version: AdapterVersion) -> list[Dataset]:
    """The frozen test sets that a version can be measured on, the newest first."""
    with tenant(organisation):
        rows = Dataset.objects.filter(is_test=True, task=version.task, erased_at=None).exclude(file=None)
        return list(rows.order_by("-pk")[:MOST_TEST_SETS])


def in_production(*, organisation: Organisation, version: AdapterVersion) -> AdapterVersion | None:
    """What serves where this version would: of an alias that it is tried on or asked for, else of its own name's."""
    with tenant(organisation):
        asked = Promotion.objects.filter(version=version, state=Promotion.State.OPEN).values("alias")
        rows = Alias.objects.select_related("current__base").exclude(current=version)
        tried = (
            rows.filter(Q(canary=version) | Q(shadow=version) | Q(name__in=asked)).order_by("name").first()
        )
        found = tried or rows.filter(name=f"{version.name}:{PRODUCTION}").first()
        return found.current if found else None
