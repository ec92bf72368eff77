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
from rootstock.audit.models import AuditEntry
from rootstock.errors import DomainError
from rootstock.jobs.models import Job
from rootstock.jobs.services import job_cancel
from rootstock.operator.base import OperatorAdmin
from rootstock.operator.site import site
from rootstock.registry.models import AdapterVersion, BaseModel, Dataset

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


@admin.register(BaseModel, site=site)
class BaseModelAdmin(OperatorAdmin):
    """Bases that workers have served."""

    view_scope = "adapters:read"
    list_display = ("name", "fingerprint", "bytes", "licence", "created_at")


@admin.register(Dataset, site=site)
class DatasetAdmin(OperatorAdmin):
    """Training sets, by hash."""

    view_scope = "adapters:read"
    list_display = ("name", "task", "rows", "bytes", "created_at")


@admin.register(AdapterVersion, site=site)
class AdapterAdmin(OperatorAdmin):
    """Adapters."""

    view_scope = "adapters:read"
    list_display = ("reference", "base", "bytes", "created_at")
    list_select_related = ("base",)
    search_fields = ("name", "digest")


@admin.register(AuditEntry, site=site)
class AuditEntryAdmin(OperatorAdmin):
    """The trail of the organisation."""

    view_scope = "audit:read"
    list_display = ("at", "actor_kind", "actor_id", "action", "object_type", "object_id")
    list_filter = ("actor_kind", "object_type")


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
