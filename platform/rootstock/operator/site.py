"""The operators' site: django-unfold over the same permissions, tenants and audit trail as the rest."""

from collections.abc import Callable
from typing import Any, cast

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from unfold.sites import UnfoldAdminSite

from rootstock.accounts.actors import Actor, act_as
from rootstock.accounts.tenancy import tenant
from rootstock.operator.base import scopes_of
from rootstock.operator.looks import GROUPS, LOOKS

# django-unfold evaluates expressions in attributes and styles elements itself; the rest of the console needs neither.
_POLICY = {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}
View = Callable[..., HttpResponseBase]


class OperatorSite(UnfoldAdminSite):  # type: ignore[misc]
    """Every view runs as the signed-in operator, inside the organisation chosen in the console."""

    enable_nav_sidebar = True
    index_title = "Operators"

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The groups of the menu in place of Django's packages, with what the operator may see."""
        seen = super().get_app_list(request, app_label)
        known = {entry["model"]: entry for app in seen for entry in app["models"]}
        groups = []
        for title, models in GROUPS:
            entries = [known[model] | {"name": LOOKS[model].plural} for model in models if model in known]
            if entries:
                groups.append({"name": title, "app_label": title, "app_url": "", "models": entries})
        return groups

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff only, past the session's age and the second factor; each model asks for its scope besides."""
        has_entered = hasattr(request, "memberships") and not _must_enrol(request)
        return bool(request.user.is_active and request.user.is_staff and has_entered)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one sign-in page. Who is signed in and no operator goes home; who must enrol, to that."""
        if request.user.is_authenticated and _must_enrol(request):
            return redirect("mfa_index")
        if request.user.is_authenticated:
            return redirect("home")
        return redirect_to_login(request.GET.get("next", request.get_full_path()))

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one sign-out."""
        return redirect("logout", preserve_request=True)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseRedirect:
        """The console has the page for it."""
        return redirect("account_change_password")

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Render within the tenant: lists are read while the template runs. What is the whole platform's belongs to
        no tenant, and a change of it is told in the trails of several."""
        admin = getattr(view, "__self__", None)
        platform_wide = getattr(admin, "view_scope", None) == ""

        def within(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            act_as(Actor("person", str(request.user.pk)))
            membership = getattr(request, "membership", None)
            if membership is None or platform_wide:
                return _rendered(view(request, *args, **kwargs))
            with tenant(membership.organisation_id):
                return _rendered(view(request, *args, **kwargs))

        return cast(View, super().admin_view(within, cacheable))


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The menu beside every page: the way back, then the groups."""
    icons = {look.plural: look.icon for look in LOOKS.values()}
    back = {
        "items": [
            {"title": "Back to the console", "icon": "arrow_back", "link": reverse("home"), "active": False}
        ]
    }
    return [back] + [
        {
            "title": group["name"],
            "separator": True,
            "items": [
                {"title": entry["name"], "icon": icons[entry["name"]], "link": entry["admin_url"]}
                for entry in group["models"]
            ]
            + _beside(request, group["name"]),
        }
        for group in site.get_app_list(request)
    ]


def _beside(request: HttpRequest, group: str) -> list[dict[str, Any]]:
    """Pages of the console where a group's things are made: the operators' site has no second form for them."""
    if group != "Models" or "adapters:write" not in scopes_of(request):
        return []
    return [
        {"title": "Upload an adapter", "icon": "upload", "link": reverse("adapter-upload"), "active": False}
    ]


def _must_enrol(request: HttpRequest) -> bool:
    return bool(getattr(request, "must_enrol", False))


def _rendered(response: HttpResponseBase) -> HttpResponseBase:
    if hasattr(response, "render"):
        response.render()
    response._csp_update = _POLICY  # type: ignore[attr-defined]
    return response


site = OperatorSite(name="operator")
