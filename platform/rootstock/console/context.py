"""What the shell around every page shows: areas by role, organisation, theme."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from rootstock.accounts.models import Membership, Organisation
from rootstock.accounts.roles import ROLE_SCOPES
from rootstock.console.navigation import Area, areas_for, grouped

THEME_COOKIE = "rootstock_theme"
DENSITY_COOKIE = "rootstock_density"
RAIL_COOKIE = "rootstock_rail"
FULL, PLAIN = "console/base.html", "console/plain.html"


@dataclass(slots=True, frozen=True)
class Shell:
    """What `base.html` reads as `console`."""

    theme: str
    density: str
    rail: str
    layout: str
    areas: list[Area]
    groups: list[tuple[str, list[Area]]]
    organisation: Organisation | None
    organisations: list[Organisation]


def shell(request: HttpRequest) -> dict[str, Any]:
    """Template context of every page."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    membership: Membership | None = getattr(request, "membership", None)
    memberships: list[Membership] = getattr(request, "memberships", [])
    areas = areas_for(ROLE_SCOPES[membership.role], request.path) if membership else []
    return {
        "request_id": getattr(request, "request_id", ""),
        "console": Shell(
            density="dense" if request.COOKIES.get(DENSITY_COOKIE) == "dense" else "",
            theme=theme if theme in ("light", "dark") else "",
            rail="narrow" if request.COOKIES.get(RAIL_COOKIE) == "narrow" else "",
            layout=FULL if membership else PLAIN,
            areas=areas,
            groups=grouped(areas),
            organisation=getattr(request, "organisation", None),
            organisations=[membership.organisation for membership in memberships],
        ),
    }
