"""What the palette finds of the platform itself. Each takes the organisation and the text, and gives a few lines."""

from django.conf import settings
from django.db.models import Q
from django.urls import reverse

from rootstock.accounts.models import ApiKey, Membership, Organisation
from rootstock.accounts.tables import named
from rootstock.accounts.tenancy import tenant
from rootstock.console.finding import MOST, Found, id_bounds
from rootstock.jobs.models import Job
from rootstock.jobs.permissions import seen
from rootstock.jobs.retry import kind_of
from rootstock.registry.models import AdapterVersion, Alias


def jobs(*, organisation: Organisation, text: str, scopes: frozenset[str]) -> list[Found]:
    """Jobs by the beginning of their id, or the newest of a kind named in words."""
    bounds = id_bounds(text)
    kinds = [kind for kind, told in settings.JOB_KINDS.items() if text.lower() in told.label.lower()]
    wanted = Q(pk__range=bounds) if bounds else Q(kind__in=kinds)
    with tenant(organisation):
        visible = seen(Job.objects.filter(wanted, organisation=organisation), scopes)
        found = list(visible.order_by("-pk")[:MOST])
    return [
        Found(
            kind_of(job.kind).label,
            reverse("job", args=[job.pk]),
            f"{job.state} · {str(job.pk)[:13]}",
            "list-checks",
        )
        for job in found
    ]


def adapters(*, organisation: Organisation, text: str, scopes: frozenset[str]) -> list[Found]:
    """Adapters by name or digest."""
    name, _, digest = text.partition("@")
    wanted = Q(name__startswith=name.lower(), digest__startswith=digest) | Q(digest__startswith=text.lower())
    with tenant(organisation):
        found = AdapterVersion.objects.filter(wanted, organisation=organisation)
        versions = list(found.select_related("base").order_by("-pk")[:MOST])
    return [
        Found(one.reference, reverse("adapter", args=[one.pk]), one.base.name, "layers") for one in versions
    ]


def aliases(*, organisation: Organisation, text: str, scopes: frozenset[str]) -> list[Found]:
    """Aliases by name."""
    with tenant(organisation):
        found = Alias.objects.filter(name__startswith=text.lower(), organisation=organisation)
        rows = list(found.select_related("current").order_by("name")[:MOST])
    return [
        Found(row.name, reverse("alias", args=[row.pk]), row.current.reference, "git-branch") for row in rows
    ]


def people(*, organisation: Organisation, text: str, scopes: frozenset[str]) -> list[Found]:
    """Members by name or address."""
    fields = ("username", "email", "first_name", "last_name")
    wanted = Q(*((f"user__{field}__icontains", text) for field in fields), _connector=Q.OR)
    with tenant(organisation):
        found = Membership.objects.filter(wanted, organisation=organisation)
        members = list(found.select_related("user").order_by("user__username")[:MOST])
    return [
        Found(named(one.user), reverse("person", args=[one.pk]), one.get_role_display(), "user-round")
        for one in members
    ]


def keys(*, organisation: Organisation, text: str, scopes: frozenset[str]) -> list[Found]:
    """API keys by name or prefix."""
    with tenant(organisation):
        found = ApiKey.objects.filter(Q(name__icontains=text) | Q(prefix=text), organisation=organisation)
        rows = list(found.order_by("-pk")[:MOST])
    return [Found(row.name, reverse("key", args=[row.pk]), row.prefix, "key-round") for row in rows]
