"""Archives of exports in storage: under the person's key, until their days are over or the person is erased."""

from functools import partial
from typing import BinaryIO
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.files.contents import content_delete
from rootstock.ids import uuid7
from rootstock.privacy.models import PrivacyRequest, SubjectKey
from rootstock.privacy.streams import sealed_reader


def archive_place(request: PrivacyRequest) -> str:
    """A new place in storage. Each attempt writes to its own."""
    return f"exports/{request.organisation_id}/{request.pk}/{uuid7().hex}"


def archive_open(request: PrivacyRequest) -> BinaryIO:
    """The archive, opened as it is read."""
    stored = default_storage.open(request.archive_key)
    return sealed_reader(stored, request.subject, request.archive_key)


def archives_expire(*, organisation: Organisation | UUID) -> int:
    """Delete the archives whose time is over."""
    with tenant(organisation):
        return _drop(PrivacyRequest.objects.filter(expires_at__lt=timezone.now()))


def archives_drop(key: SubjectKey) -> int:
    """Delete the archives about a person. Call it inside `tenant()`."""
    return _drop(PrivacyRequest.objects.filter(subject=key))


def _drop(requests: "QuerySet[PrivacyRequest]") -> int:
    places = dict(requests.exclude(archive_key="").values_list("pk", "archive_key"))
    PrivacyRequest.objects.filter(pk__in=places).update(archive_key="")
    for place in places.values():
        transaction.on_commit(partial(content_delete, place), robust=True)
    return len(places)
