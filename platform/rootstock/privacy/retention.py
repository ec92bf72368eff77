"""Retention: rules of an organisation, and the deletion of what is older than they allow.

Without a rule nothing is deleted. What is under a legal hold stays. Deletion goes in bounded batches, each a
transaction of its own, so that a first run over years of data blocks nobody and may be interrupted.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from rootstock.accounts.actors import Actor, acting
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import InvalidInput, NotFound
from rootstock.privacy.holdings import Expiring, expiring_kinds
from rootstock.privacy.models import RetentionRule
from rootstock.privacy.persons import name_of

log = logging.getLogger(__name__)
LEAST_DAYS, MOST_DAYS = 30, 36_500
BATCHES = 100
"""Of each kind in one run; the next run goes on."""


def rule_set(*, organisation: Organisation, kind: str, days: int | None) -> RetentionRule | None:
    """Keep a kind of data for so many days; None takes the rule away."""
    if kind not in expiring_kinds():
        raise NotFound("no such kind of data")
    if days is not None and not LEAST_DAYS <= days <= MOST_DAYS:
        raise InvalidInput.field(
            "days", f"must be between {LEAST_DAYS} and {MOST_DAYS:,}, or empty to keep for good"
        )
    with tenant(organisation):
        if days is None:
            RetentionRule.objects.filter(kind=kind).delete()
            rule = None
        else:
            values = {"days": days, "changed_by": name_of()}
            rule, _ = RetentionRule.objects.update_or_create(
                organisation=organisation, kind=kind, defaults=values
            )
        audit_record(
            organisation=organisation, action="retention_rule.changed", object_type="retention_rule",
            object_id=kind, data={"days": days},
        )  # fmt: skip
    return rule


def rules_of(organisation: Organisation) -> list[tuple[Expiring, RetentionRule | None]]:
    """Every kind of data with its rule, if there is one."""
    with tenant(organisation):
        rules = {rule.kind: rule for rule in RetentionRule.objects.all()}
    return [(kind, rules.get(name)) for name, kind in expiring_kinds().items()]


def kinds_in_use(organisation: Organisation) -> set[str]:
    """The kinds of data with a rule, or of which the organisation holds any."""
    with tenant(organisation):
        ruled = set(RetentionRule.objects.values_list("kind", flat=True))
        return ruled | {name for name, kind in expiring_kinds().items() if name not in ruled and kind.held()}


def retention_enforce(organisation: Organisation) -> dict[str, int]:
    """Delete what the rules say, with the counts by kind."""
    deleted: dict[str, int] = {}
    for kind, rule in rules_of(organisation):
        if rule is not None:
            deleted[kind.name] = _enforce(organisation, kind, rule)
    return deleted


def _enforce(organisation: Organisation, kind: Expiring, rule: RetentionRule) -> int:
    before, total = timezone.now() - timedelta(days=rule.days), 0
    for _ in range(BATCHES):
        count = _batch(organisation.pk, kind, before)
        total += count
        if count < kind.batch:
            break
    _remember(organisation, rule, before, total)
    return total


def _batch(organisation: UUID, kind: Expiring, before: datetime) -> int:
    with tenant(organisation):
        return kind.delete(organisation, before, kind.batch)


def _remember(organisation: Organisation, rule: RetentionRule, before: datetime, deleted: int) -> None:
    with tenant(organisation), acting(Actor("system", "retention")):
        now = timezone.now()
        RetentionRule.objects.filter(pk=rule.pk).update(enforced_at=now, deleted=F("deleted") + deleted)
        if deleted:
            audit_record(
                organisation=organisation, action="retention_rule.enforced", object_type="retention_rule",
                object_id=rule.kind, data={"days": rule.days, "before": before.isoformat(), "deleted": deleted},
            )  # fmt: skip
