"""What the shell around every page shows: areas by role, organisation, theme."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from rootstock.accounts.models import Membership, Organisation
from rootstock.accounts.roles import ROLE_SCOPES
from rootstock.console.navigation import Area, areas_for

THEME_COOKIE = "rootstock_theme"
DENSITY_COOKIE = "rootstock_density"


@dataclass(slots=True, frozen=True)
class Shell:
    """What `base.html` reads as `console`."""

    theme: str
    density: str
    areas: list[Area]
    organisation: Organisation | None
    organisations: list[Organisation]


def shell(request: HttpRequest) -> dict[str, Any]:
    """Template context of every page."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    membership: Membership | None = getattr(request, "membership", None)
    memberships: list[Membership] = getattr(request, "memberships", [])
    return {
        "request_id": getattr(request, "request_id", ""),
        "console": Shell(
            density="dense" if request.COOKIES.get(DENSITY_COOKIE) == "dense" else "",
            theme=theme if theme in ("light", "dark") else "",
            areas=areas_for(ROLE_SCOPES[membership.role], request.path) if membership else [],
            organisation=getattr(request, "organisation", None),
            organisations=[membership.organisation for membership in memberships],
        ),
    }
