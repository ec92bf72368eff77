"""What the shell around every page shows: areas by role, organisation, theme."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from rootstock.accounts.models import Membership, Organisation
from rootstock.accounts.roles import ROLE_SCOPES

THEME_COOKIE = "rootstock_theme"
SYMBOLS = {"fraud": "shield-alert", "ehr": "stethoscope", "support": "messages-square"}


@dataclass(slots=True, frozen=True)
class Area:
    """One entry of the rail; `key` is its shortcut after `g`."""

    label: str
    url: str
    symbol: str
    key: str
    scope: str = ""
    current: bool = False


@dataclass(slots=True, frozen=True)
class Shell:
    """What `base.html` reads as `console`."""

    theme: str
    areas: list[Area]
    organisation: Organisation | None
    organisations: list[Organisation]


def _areas() -> list[Area]:
    verticals = [
        Area(vertical.label, f"/{name}/", SYMBOLS.get(name, "layers"), name[0], f"{name}:read")
        for name, vertical in settings.VERTICALS.items()
    ]
    return [
        Area("Home", "/", "house", "h"),
        *verticals,
        Area("Adapters", "/adapters/", "layers", "a", "adapters:read"),
        Area("Jobs", "/jobs/", "list-checks", "j", "jobs:read"),
    ]


def _seen_by(membership: Membership | None, path: str) -> list[Area]:
    if membership is None:
        return []
    scopes = ROLE_SCOPES[membership.role]
    return [
        Area(area.label, area.url, area.symbol, area.key, area.scope, _is_current(area, path))
        for area in _areas()
        if not area.scope or area.scope in scopes
    ]


def _is_current(area: Area, path: str) -> bool:
    return path == "/" if area.url == "/" else path.startswith(area.url)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Template context of every page."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    memberships: list[Membership] = getattr(request, "memberships", [])
    return {
        "request_id": getattr(request, "request_id", ""),
        "console": Shell(
            theme=theme if theme in ("light", "dark") else "",
            areas=_seen_by(getattr(request, "membership", None), request.path),
            organisation=getattr(request, "organisation", None),
            organisations=[membership.organisation for membership in memberships],
        ),
    }
