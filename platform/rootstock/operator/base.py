"""What every model of the operators' site has in common."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator

from rootstock.accounts.roles import ROLE_SCOPES
from rootstock.audit.services import audit_record
from rootstock.operator.looks import LOOKS


def scopes_of(request: HttpRequest) -> frozenset[str]:
    """What the operator's role permits in the organisation they act in."""
    membership = getattr(request, "membership", None)
    return ROLE_SCOPES[membership.role] if membership else frozenset()


class OperatorAdmin(ModelAdmin):  # type: ignore[misc]
    """Read-only unless a subclass says otherwise; changes go through services, which audit themselves."""

    view_scope: ClassVar[str] = ""  # empty: platform-wide rows, for superusers
    change_scope: ClassVar[str] = ""
    ordering = ("-pk",)
    list_per_page = 50
    paginator = InfinitePaginator  # counting a million rows would cost more than showing fifty
    show_full_result_count = False
    list_filter_submit = True
    readonly_fields: Sequence[Any] = ()

    def __init__(self, model: type[Model], admin_site: Any) -> None:
        super().__init__(model, admin_site)
        self.look = LOOKS[model]
        if self.form is not ModelForm or not self.look.sections:
            return  # it lays its own form out
        self.list_select_related = self.look.related
        self.fieldsets = [(name, {"fields": list(fields)}) for name, fields in self.look.sections]
        self.readonly_fields = self.look.fields

    def get_list_display(self, request: HttpRequest) -> Any:
        """The columns of its look, where it has some."""
        return self.look.columns or self.list_display

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Called as it is in the menu."""
        return super().changelist_view(
            request, {"title": self.look.plural, "look": self.look, **(extra_context or {})}
        )

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **given: Any) -> Any:
        """Called by what the row is, not by its class."""
        row = given.get("obj")
        context |= {
            "look": self.look,
            "row_title": self.look.title(row) if row else f"New {self.look.name.lower()}",
        }
        context |= {"title": self.look.plural, "subtitle": context["row_title"]}
        return super().render_change_form(request, context, **given)

    def permits(self, request: HttpRequest, scope: str) -> bool:
        """The role's scope; rows of the whole platform are the superuser's."""
        return scope in scopes_of(request) if self.view_scope else bool(request.user.is_superuser)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """As for viewing."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """The view scope."""
        return self.permits(request, self.view_scope)

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Rows are made in the product."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Rows are changed in the product, by actions, or where a subclass allows it."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nothing is deleted here."""
        return False

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Asked by actions: `@action(permissions=["act"])`."""
        return self.permits(request, self.change_scope)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The history of a thing is its audit trail."""
        return HttpResponseRedirect(f"{reverse('audit')}?object_id={object_id}")

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[dict[str, Any]]:
        """The names of the fields, which the trail keeps; Django would give their labels on the page."""
        return [{"added" if add else "changed": {"fields": form.changed_data}}]

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:
        """Into the audit trail instead of Django's log, which repeats names."""
        self._audit(request, obj, "added", {})

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:
        """As above, with the names of the fields, and of switches which way."""
        fields = sorted(
            {
                field
                for part in message
                if isinstance(part, dict)
                for field in part.get("changed", {}).get("fields", [])
            }
        )
        switched = {
            field: getattr(obj, field) for field in fields if isinstance(getattr(obj, field, None), bool)
        }
        self._audit(request, obj, "changed", {"fields": fields} | switched)

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> None:
        """As above."""
        for obj in queryset:
            self._audit(request, obj, "deleted", {})

    def _audit(self, request: HttpRequest, obj: Model, verb: str, data: dict[str, Any]) -> None:
        name = str(obj._meta.model_name)
        for organisation in self.trails_of(request, obj):
            audit_record(
                organisation=organisation,
                action=f"{name}.{verb}",
                object_type=name,
                object_id=obj.pk,
                data=data | {"through": "operator"},
            )

    def trails_of(self, request: HttpRequest, obj: Any) -> list[UUID]:
        """The organisations whose trails tell of a change of `obj`."""
        if hasattr(obj, "organisation_id"):
            return [obj.organisation_id]
        membership = getattr(request, "membership", None)
        return [membership.organisation_id] if membership else []
