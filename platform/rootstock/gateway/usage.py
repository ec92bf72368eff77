"""The budget as it is set, and usage as it is read."""

from datetime import timedelta

from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.rounds import each_organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import FieldProblem, InvalidInput
from rootstock.gateway.budgets import most_streams
from rootstock.gateway.models import Budget, UsageCall

CALLS_KEPT = timedelta(days=7)  # longer than anything tells of a call twice
MOST_TOKENS = 10**15


def budget_get(organisation: Organisation) -> Budget:
    """The organisation's limits; unlimited where none were set."""
    with tenant(organisation):
        return Budget.objects.first() or Budget(organisation=organisation)


def budget_set(*, organisation: Organisation, **limits: int | None) -> Budget:
    """Change the limits that are given; None takes one away."""
    _check(limits)
    with tenant(organisation):
        row, _ = Budget.objects.select_for_update().get_or_create(organisation=organisation)
        changed = {name: value for name, value in limits.items() if getattr(row, name) != value}
        if changed:
            for name, value in changed.items():
                setattr(row, name, value)
            row.save()
            audit_record(
                organisation=organisation,
                action="budget.changed",
                object_type="budget",
                object_id=row.pk,
                data=changed,
            )
    return row


def _check(limits: dict[str, int | None]) -> None:
    ranges = {
        "tokens_per_day": (0, MOST_TOKENS),
        "tokens_per_month": (0, MOST_TOKENS),
        "streams": (1, most_streams()),
    }
    problems = [
        FieldProblem(name, f"must be between {least:,} and {most:,}, or empty for no limit of its own")
        for name, (least, most) in ranges.items()
        if (value := limits.get(name)) is not None and not least <= value <= most
    ]
    if problems:
        raise InvalidInput(f"{problems[0].field}: {problems[0].reason}", errors=problems)


def calls_purge() -> int:
    """Forget the ids of calls that were counted long ago; returns how many."""
    return each_organisation(_purge)


def _purge(organisation: Organisation) -> int:
    with tenant(organisation):
        return UsageCall.objects.filter(counted_at__lt=timezone.now() - CALLS_KEPT).delete()[0]
