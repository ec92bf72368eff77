"""The trail as JSON Lines, streamed: each root, then its rows, then what waits, then a manifest over all of it.

Every line can be checked without the database (`offline.file_verify`, `manage.py audit_verify --file`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.canonical import canonical, leaf_content, root_content, text_of
from rootstock.audit.models import AuditRoot, PendingLeaf
from rootstock.audit.roots import LEAF_KINDS, Member, rows_of, unpack

CHUNK = 1000


@dataclass(slots=True)
class _Manifest:
    """What has been written so far."""

    organisation: Organisation
    digest: Any = field(default_factory=sha256)
    roots: list[dict[str, Any]] = field(default_factory=list)
    leaves: int = 0
    waiting: int = 0

    def line(self, content: dict[str, Any]) -> bytes:
        """One line, counted into the digest of the file."""
        line = canonical(content) + b"\n"
        self.digest.update(line)
        return line

    def last(self) -> bytes:
        """The manifest itself, whose digest covers it too."""
        content = {
            "type": "manifest",
            "organisation": str(self.organisation.pk),
            "exported_at": text_of(timezone.now()),
            "roots": self.roots,
            "leaves": self.leaves,
            "waiting": self.waiting,
        }
        self.digest.update(canonical(content))
        return canonical(content | {"sha256": self.digest.hexdigest()}) + b"\n"


def trail_lines(
    *, organisation: Organisation, since: datetime | None = None, until: datetime | None = None
) -> Iterator[bytes]:
    """The lines of an export; a range of time takes the roots written in it. No transaction stays open between."""
    manifest = _Manifest(organisation)
    after = 0
    while (root := _next(organisation, after, since, until)) is not None:
        after = root.sequence
        manifest.roots.append({"sequence": root.sequence, "hash": bytes(root.hash).hex()})
        yield manifest.line({"type": "root", "hash": bytes(root.hash).hex()} | root_content(root))
        members = unpack(root.leaves)
        for start in range(0, len(members), CHUNK):
            part = members[start : start + CHUNK]
            manifest.leaves += len(part)
            yield b"".join(manifest.line(one) for one in _contents(organisation, "leaf", part))
    if until is None:
        for part in _waiting(organisation):
            manifest.waiting += len(part)
            yield b"".join(manifest.line(one) for one in _contents(organisation, "waiting", part))
    yield manifest.last()


def _next(
    organisation: Organisation, after: int, since: datetime | None, until: datetime | None
) -> AuditRoot | None:
    with tenant(organisation):
        found = AuditRoot.objects.filter(sequence__gt=after).order_by("sequence")
        found = found.filter(at__gte=since) if since else found
        return (found.filter(at__lt=until) if until else found).first()


def _contents(organisation: Organisation, type: str, members: list[Member]) -> list[dict[str, Any]]:
    """A row that retention has taken has no content; its digest stays."""
    with tenant(organisation):
        rows = rows_of(members)
    return [
        {
            "type": type,
            "digest": one.digest.hex(),
            "content": leaf_content(rows[one.id]) if one.id in rows else None,
        }
        for one in members
    ]


def _waiting(organisation: Organisation) -> Iterator[list[Member]]:
    kinds = {kind.LEAF: kind for kind in LEAF_KINDS}
    last = UUID(int=0)
    while True:
        with tenant(organisation):
            found = list(PendingLeaf.objects.filter(id__gt=last).order_by("organisation_id", "id")[:CHUNK])
        if not found:
            return
        last = found[-1].pk
        yield [Member(kinds[one.leaf], one.pk, bytes(one.digest)) for one in found]
