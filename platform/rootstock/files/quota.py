"""How much an organisation may store: what lies there, and what uploads in pieces have been promised."""

from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet, Sum
from django.utils import timezone

from rootstock.errors import Conflict
from rootstock.files.models import FileUpload, StoredFile


def room_take(owner: UUID, size: int, promised_to: UUID | None = None) -> None:
    """Raise Conflict unless there is room for `size` bytes more. Call it inside `tenant()`, before the row is made.

    The quota is exact: until the transaction ends nobody else takes what is left. `promised_to` is the upload whose
    promise is being kept.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"files {owner}"])
    stored = StoredFile.objects.aggregate(used=Sum("bytes"))["used"] or 0
    others = uploads_open().exclude(pk=promised_to) if promised_to else uploads_open()
    promised = others.aggregate(used=Sum("length"))["used"] or 0
    if stored + promised + size > settings.FILE_QUOTA_BYTES:
        quota = settings.FILE_QUOTA_BYTES / 2**20
        raise Conflict(f"file: the organisation's {quota:,.0f} MiB for files are used up; delete some first")


def uploads_open() -> "QuerySet[FileUpload]":
    """Uploads in pieces that may still be continued."""
    return FileUpload.objects.filter(finished_at=None, expires_at__gt=timezone.now())
