"""Reads of the registry."""

import re
from uuid import UUID

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput, NotFound
from rootstock.paging import take_page
from rootstock.registry.models import AdapterVersion, Dataset

_REFERENCE = re.compile(r"([a-z0-9][a-z0-9-]{1,62})@([0-9a-f]{12})")


def adapters_page(
    *, organisation: Organisation, cursor: str | None = None, limit: int = 50
) -> tuple[list[AdapterVersion], str | None]:
    """A page of the organisation's adapters, newest first."""
    with tenant(organisation):
        found = AdapterVersion.objects.select_related("base", "dataset").defer("dataset__report")
        return take_page(found, cursor=cursor, limit=limit)


def own_references(*, organisation: Organisation | UUID, references: set[str]) -> set[str]:
    """Those of the references that are the organisation's own adapters."""
    names = {reference.partition("@")[0] for reference in references}
    with tenant(organisation):
        return {version.reference for version in AdapterVersion.objects.filter(name__in=names)} & references


def adapter_by_reference(
    *, organisation: Organisation | UUID, reference: str, field: str = "adapter"
) -> AdapterVersion:
    """The version that `name@digest` names. Raises InvalidInput or NotFound naming `field`: never another adapter."""
    with tenant(organisation):
        return version_named(reference, field)


def version_named(reference: str, field: str) -> AdapterVersion:
    """The same, inside `tenant()`."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise InvalidInput.field(field, "must look like name@0123456789ab")
    found = (
        AdapterVersion.objects.select_related("base", "dataset")
        .defer("dataset__report")
        .filter(name=match.group(1), digest__startswith=match.group(2))
        .first()
    )
    if found is None:
        raise NotFound(f"{field}: your organisation has no adapter {reference}")
    return found


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
