"""Retention: the one way in which rows leave the trail. The owner's role takes them, and the trail says so.

Whole roots are emptied, the oldest first; the roots themselves and their lists of digests stay, so that the chain
still verifies from its first root on.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connections, transaction

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.append_only import RETENTION_SETTING
from rootstock.audit.models import ActionReason, AuditRoot, HumanAction
from rootstock.audit.roots import LEAF_KINDS, unpack
from rootstock.audit.services import audit_record
from rootstock.audit.verify import PRUNED, chain_verify
from rootstock.errors import Conflict, InvalidInput

OWNER = "admin"


@dataclass(slots=True, frozen=True)
class Pruned:
    """What retention took."""

    through_sequence: int
    rows: int


def trail_prune(*, organisation: Organisation, before: datetime, reason: str) -> Pruned:
    """Delete the rows sealed before a time. Raises Conflict when the chain is broken: evidence is not thrown away.

    The record is committed first. If this process then dies, running it again takes the rest.
    """
    if not reason.strip():
        raise InvalidInput.field("reason", "must say under which rule")
    verdict = chain_verify(organisation=organisation)
    if verdict.broken:
        raise Conflict(f"the chain is broken, so nothing is deleted: {verdict.broken.says}")
    through = _last_before(organisation, before)
    if not through:
        return Pruned(0, 0)
    audit_record(
        organisation=organisation,
        action=PRUNED,
        object_type="audit_trail",
        data={"through_sequence": through, "before": before, "reason": reason.strip()},
    )
    return Pruned(through, _delete(organisation.pk, through))


def _last_before(organisation: Organisation, before: datetime) -> int:
    with tenant(organisation):
        younger = AuditRoot.objects.filter(at__gte=before).order_by("sequence")
        first = younger.values_list("sequence", flat=True).first()
        older = AuditRoot.objects.filter(at__lt=before)
        older = older.filter(sequence__lt=first) if first else older
        return older.order_by("-sequence").values_list("sequence", flat=True).first() or 0


def _delete(organisation: UUID, through: int) -> int:
    deleted = 0
    roots = AuditRoot.objects.using(OWNER).filter(organisation_id=organisation, sequence__lte=through)
    for sequence in roots.order_by("sequence").values_list("sequence", flat=True):
        members = unpack(roots.get(sequence=sequence).leaves)
        with transaction.atomic(using=OWNER), connections[OWNER].cursor() as cursor:
            cursor.execute("SELECT set_config(%s, 'on', true)", [RETENTION_SETTING])
            for kind in LEAF_KINDS:
                ids = [one.id for one in members if one.kind is kind]
                if kind is HumanAction:
                    ActionReason.objects.using(OWNER).filter(action_id__in=ids).delete()
                table = connections[OWNER].ops.quote_name(kind._meta.db_table)
                cursor.execute(f"DELETE FROM {table} WHERE id = ANY(%s)", [ids])
                deleted += cursor.rowcount
    return deleted
