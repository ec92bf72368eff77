"""The models of the operators' site. No personal data of subjects is here: operators run the platform."""

from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.text import slugify
from django_celery_beat.models import PeriodicTask
from unfold.decorators import display

from rootstock.accounts import services as accounts
from rootstock.accounts.models import ApiKey, Membership, Organisation, Role, User
from rootstock.accounts.selectors import memberships_of
from rootstock.audit.models import AuditEntry, AuditRoot, DecisionRecord
from rootstock.errors import DomainError
from rootstock.files.models import StoredFile
from rootstock.jobs.models import Job, JobSchedule
from rootstock.jobs.services import job_cancel
from rootstock.operator.base import OperatorAdmin
from rootstock.operator.site import site
from rootstock.privacy.models import RetentionRule
from rootstock.registry.models import AdapterVersion, BaseModel, Dataset
from rootstock.webhooks.models import WebhookDelivery

JOB_TONES = {
    "queued": "info",
    "running": "info",
    "succeeded": "success",
    "failed": "danger",
    "cancelled": "warning",
}


def each(request: HttpRequest, rows: QuerySet[Any], change: Any, done: str) -> None:
    """Run a service on each chosen row and tell what came of it."""
    changed = 0
    for row in rows:
        try:
            change(row)
            changed += 1
        except DomainError as error:
            messages.warning(request, f"{row.pk}: {error.detail}")
    if changed:
        messages.success(request, f"{changed} {done}")


class OrganisationForm(forms.ModelForm):  # type: ignore[type-arg]
    """The name; the address is made from it once."""

    class Meta:
        model = Organisation
        fields = ("name",)

    def clean_name(self) -> str:
        """Two organisations cannot have the same address."""
        name: str = self.cleaned_data["name"].strip()
        taken = Organisation.objects.filter(slug=slugify(name)).exclude(pk=self.instance.pk)
        if not slugify(name) or taken.exists():
            raise forms.ValidationError(
                "another organisation has this name, or nothing in it can be an address"
            )
        return name


@admin.register(Organisation, site=site)
class OrganisationAdmin(OperatorAdmin):
    """Tenants. Who adds one becomes its first administrator."""

    list_display = ("name", "slug", "created_at")
    search_fields = ("name", "slug")
    form = OrganisationForm

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Superusers."""
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Superusers."""
        return bool(request.user.is_superuser)

    def save_model(self, request: HttpRequest, obj: Organisation, form: Any, change: bool) -> None:
        """A new one gets its administrator with it."""
        if change:
            obj.save(update_fields=["name"])
            return
        made = accounts.organisation_create(name=obj.name)
        obj.pk, obj.slug = made.pk, made.slug
        accounts.member_add(organisation=made, user=cast(User, request.user), role=Role.ADMINISTRATOR)

    def trails_of(self, request: HttpRequest, obj: Any) -> list[UUID]:
        """Its own."""
        return [obj.pk]


@admin.register(User, site=site)
class UserAdmin(OperatorAdmin):
    """Everybody who can sign in. Roles are given in the organisations."""

    list_display = ("username", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("username",)
    fields = ("username", "is_active", "is_staff", "last_login", "date_joined")
    readonly_fields = ("username", "last_login", "date_joined")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Superusers, but nobody locks themselves out."""
        return bool(request.user.is_superuser) and (obj is None or obj.pk != request.user.pk)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Whoever is switched off or on is told of in their organisations."""
        super().save_model(request, obj, form, change)
        if "is_active" in form.changed_data:
            accounts.person_switched(user=obj)

    def trails_of(self, request: HttpRequest, obj: Any) -> list[UUID]:
        """Every organisation that the person belongs to."""
        return [membership.organisation_id for membership in memberships_of(obj)]


@admin.register(Membership, site=site)
class MembershipAdmin(OperatorAdmin):
    """Who belongs to the organisation."""

    view_scope = "people:read"
    list_display = ("user", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("user",)


@admin.register(ApiKey, site=site)
class ApiKeyAdmin(OperatorAdmin):
    """Machines' keys."""

    view_scope, change_scope = "keys:read", "keys:write"
    list_display = ("name", "prefix", "scopes", "last_used_at", "expires_at", "revoked_at")
    list_filter = ("revoked_at",)
    search_fields = ("name", "prefix")
    exclude = ("hash",)
    actions = ("revoke",)

    @admin.action(description="Revoke from now on", permissions=["act"])
    def revoke(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> None:
        """Through the service, one by one."""
        each(
            request,
            rows.select_related("organisation"),
            lambda key: accounts.api_key_revoke(organisation=key.organisation, key_id=key.pk),
            "revoked",
        )


@admin.register(Job, site=site)
class JobAdmin(OperatorAdmin):
    """Background work."""

    view_scope, change_scope = "jobs:read", "jobs:write"
    list_display = ("id", "kind", "shown_state", "attempts", "fence", "created_at", "finished_at")
    list_filter = ("state", "kind")
    actions = ("cancel",)

    @display(description="State", label=JOB_TONES, ordering="state")  # type: ignore[untyped-decorator]
    def shown_state(self, row: Job) -> str:
        """As a label."""
        return str(row.state)

    @admin.action(description="Ask to stop", permissions=["act"])
    def cancel(self, request: HttpRequest, rows: QuerySet[Job]) -> None:
        """Through the service, one by one."""
        each(
            request,
            rows,
            lambda job: job_cancel(organisation=job.organisation_id, job_id=job.pk),
            "asked to stop",
        )


READ_ONLY: tuple[tuple[type[Model], str, tuple[str, ...], tuple[str, ...]], ...] = (
    # model, scope, columns, filters
    (BaseModel, "adapters:read", ("name", "fingerprint", "bytes", "licence", "created_at"), ()),
    (Dataset, "adapters:read", ("name", "task", "rows", "bytes", "created_at"), ()),
    (AdapterVersion, "adapters:read", ("reference", "base", "bytes", "created_at"), ()),
    (JobSchedule, "jobs:read", ("name", "kind", "priority", "next_run_at", "last_run_at"), ("kind",)),
    (
        StoredFile,
        "files:read",
        ("name", "purpose", "type", "state", "bytes", "created_at"),
        ("state", "purpose"),
    ),
    (
        WebhookDelivery,
        "webhooks:read",
        ("endpoint", "event", "state", "tries", "last_status", "created_at"),
        ("state",),
    ),
    (RetentionRule, "privacy:read", ("kind", "days", "enforced_at", "deleted"), ()),
    (
        AuditEntry,
        "audit:read",
        ("at", "actor_kind", "actor_id", "action", "object_type", "object_id"),
        ("actor_kind",),
    ),
    (
        DecisionRecord,
        "audit:read",
        ("decided_at", "kind", "subject_type", "model", "adapter", "latency_ms"),
        ("kind",),
    ),
    (AuditRoot, "audit:read", ("sequence", "count", "at"), ()),
)
"""What operators may look at. Secrets, reasons and leaves are not among the columns and not on the pages."""
HIDDEN = frozenset(
    {
        "secret",
        "previous_secret",
        "hash",
        "leaves",
        "card",
        "checks",
        "storage_key",
        "params",
        "merkle",
        "previous",
        "input_hash",
        "digest",
    }
)


for _model, _scope, _columns, _filters in READ_ONLY:
    _fields = tuple(f.name for f in _model._meta.fields if f.name not in HIDDEN and f.name != "organisation")
    _named = {"view_scope": _scope, "list_display": _columns, "list_filter": _filters, "fields": _fields}
    site.register(_model, type(f"{_model.__name__}Admin", (OperatorAdmin,), _named))


@admin.register(PeriodicTask, site=site)
class PeriodicTaskAdmin(OperatorAdmin):
    """What beat starts, for the whole platform; it can be paused and started."""

    list_display = ("name", "task", "enabled", "last_run_at", "total_run_count")
    list_filter = ("enabled",)
    fields = ("name", "task", "enabled", "last_run_at", "total_run_count")
    readonly_fields = ("name", "task", "last_run_at", "total_run_count")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Superusers."""
        return bool(request.user.is_superuser)
