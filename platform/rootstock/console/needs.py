"""What waits for the person who looks at the home page: a literal list of scope and question."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

from rootstock.accounts.models import ApiKey, Membership, Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.selectors import chain_broken
from rootstock.console.formats import percentage
from rootstock.gateway.budgets import budget_share
from rootstock.ids import uuid7_at
from rootstock.jobs.models import Job, JobState
from rootstock.jobs.permissions import Scopes, seen
from rootstock.privacy.persons import name_of, person_behind
from rootstock.registry.models import Promotion
from rootstock.webhooks.models import EndpointState, WebhookEndpoint

RECENT, SOON = timedelta(days=1), timedelta(days=7)
MOST = 100
NEAR = 0.8  # of a budget


@dataclass(slots=True, frozen=True)
class Need:
    """Something to look at."""

    text: str
    url: str
    tone: str
    symbol: str


def needs_of(organisation: Organisation, scopes: Scopes) -> list[Need]:
    """What a person with these scopes should look at, the worst first."""
    with tenant(organisation):
        found = [ask(organisation, scopes) for scope, ask in QUESTIONS if scope in scopes]
    return sorted((need for need in found if need), key=lambda need: need.tone != "error")


def _failed_jobs(organisation: Organisation, scopes: Scopes) -> Need | None:
    since = uuid7_at(timezone.now() - RECENT)
    visible = seen(Job.objects.filter(organisation=organisation), scopes)
    failed = visible.filter(state=JobState.FAILED, pk__gt=since)
    count = failed[:MOST].count()
    text = f"{_some(count, 'job')} failed in the last 24 hours"
    return Need(text, "/jobs/?state=failed", "error", "list-checks") if count else None


def _broken_chain(organisation: Organisation, scopes: Scopes) -> Need | None:
    text = "The audit trail is broken: the last verification says where"
    broken = chain_broken(organisation=organisation)
    return Need(text, "/audit/chain/", "error", "octagon-alert") if broken else None


def _disabled_webhooks(organisation: Organisation, scopes: Scopes) -> Need | None:
    off = WebhookEndpoint.objects.filter(organisation=organisation, state=EndpointState.DISABLED)
    count = off.exclude(failing_since=None)[:MOST].count()
    text = f"{_some(count, 'webhook')} switched off after failed deliveries"
    return Need(text, "/webhooks/?state=disabled", "error", "webhook") if count else None


def _locked_people(organisation: Organisation, scopes: Scopes) -> Need | None:
    since = timezone.now() - timedelta(seconds=settings.LOCKOUT_S)
    tried = AccessAttempt.objects.filter(attempt_time__gte=since).values("username")
    locked = tried.annotate(n=Sum("failures_since_start")).filter(n__gte=settings.AXES_FAILURE_LIMIT)
    names = [row["username"] for row in locked[:MOST]]
    count = (
        Membership.objects.filter(organisation=organisation, user__username__in=names).count() if names else 0
    )
    text = f"{_some(count, 'person', 'people')} locked out after failed sign-ins"
    return Need(text, "/people/", "warn", "lock") if count else None


def _expiring_keys(organisation: Organisation, scopes: Scopes) -> Need | None:
    now = timezone.now()
    ending = ApiKey.objects.filter(organisation=organisation, revoked_at=None, replaced_by=None)
    count = ending.filter(expires_at__gt=now, expires_at__lt=now + SOON)[:MOST].count()
    text = f"{_some(count, 'API key')} expire{'s' if count == 1 else ''} within a week"
    return Need(text, "/keys/", "warn", "key-round") if count else None


def _budget_near_its_end(organisation: Organisation, scopes: Scopes) -> Need | None:
    share = budget_share(organisation)
    if share >= 1:
        return Need("The token budget is spent: calls of models are refused", "/usage/", "error", "gauge")
    text = f"{percentage(share)} of the token budget is used"
    return Need(text, "/usage/", "warn", "gauge") if share >= NEAR else None


def _open_promotions(organisation: Organisation, scopes: Scopes) -> Need | None:
    """Those of others: nobody agrees with themselves."""
    waiting = Promotion.objects.filter(organisation=organisation, state=Promotion.State.OPEN)
    count = waiting.exclude(person=person_behind(name_of()))[:MOST].count()
    text = f"{_some(count, 'promotion')} wait{'s' if count == 1 else ''} for a second person"
    return Need(text, "/deployments/", "warn", "users") if count else None


def _some(count: int, one: str, many: str = "") -> str:
    shown = f"{MOST} or more" if count >= MOST else str(count)
    return f"{shown} {one if count == 1 else many or one + 's'}"


QUESTIONS: tuple[tuple[str, Callable[[Organisation, Scopes], Need | None]], ...] = (
    ("audit:read", _broken_chain),
    ("jobs:read", _failed_jobs),
    ("webhooks:read", _disabled_webhooks),
    ("people:write", _locked_people),
    ("keys:write", _expiring_keys),
    ("adapters:approve", _open_promotions),
    ("usage:read", _budget_near_its_end),
)
