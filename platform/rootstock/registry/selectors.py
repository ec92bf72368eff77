"""Reads of the registry."""

import re
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Q

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput, NotFound
from rootstock.paging import take_page
from rootstock.registry.models import AdapterVersion, Dataset

Reference = str | UUID  # `name@digest` from outside; inside, the version's key
_REFERENCE = re.compile(r"([a-z0-9][a-z0-9-]{1,62})@([0-9a-f]{12})")


def adapters_page(
    *, organisation: Organisation, cursor: str | None = None, limit: int = 50
) -> tuple[list[AdapterVersion], str | None]:
    """A page of the organisation's adapters, newest first."""
    with tenant(organisation):
        found = AdapterVersion.objects.select_related("base", "dataset", "parent").defer("dataset__report")
        return take_page(found, cursor=cursor, limit=limit)


def own_versions(*, organisation: Organisation | UUID, digests: Collection[str]) -> dict[str, AdapterVersion]:
    """The organisation's versions among what workers hold, by digest."""
    with tenant(organisation):
        return {row.digest: row for row in AdapterVersion.objects.filter(digest__in=digests)}


def adapter_by_reference(
    *, organisation: Organisation | UUID, reference: Reference, field: str = "adapter"
) -> AdapterVersion:
    """The version that `name@digest` names. Raises InvalidInput or NotFound naming `field`: never another adapter."""
    with tenant(organisation):
        return version_named(reference, field)


def parent_of(params: Mapping[str, Any]) -> AdapterVersion | None:
    """The version that a training with these parameters goes on from: by its digest, where one was told when it was
    asked for, else by its name, as a schedule says it. Raises InvalidInput or NotFound. Inside `tenant()`."""
    if digest := params.get("start_from_digest"):
        found = AdapterVersion.objects.filter(digest=digest).first()
        if found is None:
            raise NotFound("start_from: that version is not there any more")
        return found
    return version_named(params["start_from"], "start_from") if params.get("start_from") else None


def version_named(reference: Reference, field: str) -> AdapterVersion:
    """The same, inside `tenant()`; by its key, who has that."""
    rows = AdapterVersion.objects.select_related("base", "dataset", "parent").defer("dataset__report")
    found = rows.filter(_named(reference, field)).first()
    if found is None:
        raise NotFound(f"{field}: your organisation has no adapter {reference}")
    return found


def _named(reference: Reference, field: str) -> Q:
    if isinstance(reference, UUID):
        return Q(pk=reference)
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise InvalidInput.field(field, "must look like name@0123456789ab")
    return Q(name=match.group(1), digest__startswith=match.group(2))


def datasets_page(
    *, organisation: Organisation, cursor: str | None = None, limit: int = 50
) -> tuple[list[Dataset], str | None]:
    """A page of the organisation's data sets, newest first."""
    with tenant(organisation):
        return take_page(
            Dataset.objects.defer("report").prefetch_related("persons"), cursor=cursor, limit=limit
        )


def dataset_get(*, organisation: Organisation | UUID, dataset_id: UUID) -> Dataset:
    """One data set."""
    with tenant(organisation):
        found = Dataset.objects.prefetch_related("persons").filter(pk=dataset_id).first()
    if found is None:
        raise NotFound("no such data set")
    return found
