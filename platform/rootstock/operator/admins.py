"""The models of the operators' site. No personal data of subjects is here: operators run the platform."""

from typing import Any, ClassVar, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.text import slugify
from django_celery_beat.models import PeriodicTask

from rootstock.accounts import services as accounts
from rootstock.accounts.models import ApiKey, Membership, Organisation, Role, User
from rootstock.accounts.selectors import memberships_of
from rootstock.audit.models import AuditEntry, AuditRoot, DecisionRecord
from rootstock.errors import DomainError
from rootstock.files.models import StoredFile
from rootstock.jobs.models import Job, JobSchedule
from rootstock.jobs.permissions import require_act, seen
from rootstock.jobs.services import job_cancel
from rootstock.operator.base import OperatorAdmin, scopes_of
from rootstock.operator.columns import code, column, flag, moment, number
from rootstock.operator.site import site
from rootstock.privacy.models import RetentionRule
from rootstock.registry.models import AdapterVersion, BaseModel, Dataset
from rootstock.webhooks.models import WebhookDelivery


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


class UserForm(forms.ModelForm):  # type: ignore[type-arg]
    """Who may sign in, and who sees this site."""

    class Meta:
        model = User
        fields = ("is_active", "is_staff")
        labels: ClassVar = {"is_active": "May sign in", "is_staff": "Operator"}
        help_texts: ClassVar = {
            "is_active": "Switch it off instead of deleting the person: what they did keeps its name.",
            "is_staff": "Sees this site, with what the role in the organisation permits.",
        }


class PeriodicTaskForm(forms.ModelForm):  # type: ignore[type-arg]
    """Whether it runs."""

    class Meta:
        model = PeriodicTask
        fields = ("enabled",)
        labels: ClassVar = {"enabled": "Runs"}
        help_texts: ClassVar = {"enabled": "Switched off, it starts nothing until it is switched on again."}


@admin.register(Organisation, site=site)
class OrganisationAdmin(OperatorAdmin):
    """Tenants. Who adds one becomes its first administrator."""

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

    list_display = (
        column("username", "User name"),
        flag("is_active", "May sign in"),
        flag("is_staff", "Operator"),
        flag("is_superuser", "Of the whole platform"),
        moment("last_login", "Signed in last"),
    )
    list_filter = ("is_active", "is_staff")
    search_fields = ("username",)
    readonly_fields = (
        column("username", "User name"),
        moment("last_login", "Signed in last"),
        moment("date_joined", "Since"),
    )
    fields = (*readonly_fields, "is_active", "is_staff")
    form = UserForm

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
    list_filter = ("role",)


@admin.register(ApiKey, site=site)
class ApiKeyAdmin(OperatorAdmin):
    """Machines' keys."""

    view_scope, change_scope = "keys:read", "keys:write"
    search_fields = ("name", "prefix")
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


class ByKind(OperatorAdmin):
    """Rows of the kinds of job that the role may see."""

    view_scope, change_scope = "jobs:read", "jobs:write"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """As on the platform's own pages."""
        return seen(super().get_queryset(request), scopes_of(request))


@admin.register(JobSchedule, site=site)
class JobScheduleAdmin(ByKind):
    """What the clock starts."""


@admin.register(Job, site=site)
class JobAdmin(ByKind):
    """Background work."""

    list_filter = ("state", "kind")
    actions = ("cancel",)

    @admin.action(description="Ask to stop", permissions=["act"])
    def cancel(self, request: HttpRequest, rows: QuerySet[Job]) -> None:
        """Through the service, one by one."""

        def stop(job: Job) -> None:
            require_act(scopes_of(request), job.kind)
            job_cancel(organisation=job.organisation_id, job_id=job.pk)

        each(request, rows, stop, "asked to stop")


READ_ONLY: tuple[tuple[type[Model], str, tuple[str, ...]], ...] = (
    # model, scope, filters
    (BaseModel, "adapters:read", ()),
    (Dataset, "adapters:read", ()),
    (AdapterVersion, "adapters:read", ()),
    (StoredFile, "files:read", ("state", "purpose")),
    (WebhookDelivery, "webhooks:read", ("state",)),
    (RetentionRule, "privacy:read", ()),
    (AuditEntry, "audit:read", ("actor_kind",)),
    (DecisionRecord, "audit:read", ("kind",)),
    (AuditRoot, "audit:read", ()),
)
"""What operators may look at."""

for _model, _scope, _filters in READ_ONLY:
    _named = {"view_scope": _scope, "list_filter": _filters}
    site.register(_model, type(f"{_model.__name__}Admin", (OperatorAdmin,), _named))


@admin.register(PeriodicTask, site=site)
class PeriodicTaskAdmin(OperatorAdmin):
    """What beat starts, for the whole platform; it can be paused and started."""

    list_display = (
        column("name", "Name"),
        flag("enabled", "Runs"),
        moment("last_run_at", "Last run"),
        number("total_run_count", "Runs so far"),
        code("task", "Task"),
    )
    list_filter = ("enabled",)
    readonly_fields = (
        column("name", "Name"),
        code("task", "Task"),
        moment("last_run_at", "Last run"),
        number("total_run_count", "Runs so far"),
    )
    fields = (*readonly_fields, "enabled")
    form = PeriodicTaskForm

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Superusers."""
        return bool(request.user.is_superuser)
