"""The areas of the console: one literal list, shown by role. Add an area here."""

from dataclasses import dataclass

from django.conf import settings

SYMBOLS = {"fraud": "shield-alert", "ehr": "stethoscope", "support": "messages-square"}


@dataclass(slots=True, frozen=True)
class Area:
    """One entry of the rail and of the command palette; `key` is its shortcut after `g`."""

    label: str
    url: str
    symbol: str
    key: str = ""
    scope: str = ""
    group: str = ""
    current: bool = False


def areas() -> list[Area]:
    """Every area, in the order of the rail."""
    verticals = [
        Area(vertical.label, f"/{name}/", SYMBOLS.get(name, "layers"), name[0], f"{name}:read")
        for name, vertical in settings.VERTICALS.items()
    ]
    return [
        Area("Home", "/", "house", "h"),
        *verticals,
        Area("Adapters", "/adapters/", "layers", "a", "adapters:read", "Models"),
        Area("Jobs", "/jobs/", "list-checks", "j", "jobs:read", "Models"),
        Area("People", "/people/", "users", "p", "people:read", "Admin"),
        Area("API keys", "/keys/", "key-round", "k", "keys:read", "Admin"),
        Area("Audit", "/audit/", "scroll-text", "u", "audit:read", "Admin"),
        Area("Settings", "/settings/", "settings", "o", "settings:write", "Admin"),
    ]


def areas_for(scopes: frozenset[str], path: str) -> list[Area]:
    """The areas that a person with these scopes sees; the one of `path` is current."""
    return [
        Area(a.label, a.url, a.symbol, a.key, a.scope, a.group, _is_current(a, path))
        for a in areas()
        if not a.scope or a.scope in scopes
    ]


def _is_current(area: Area, path: str) -> bool:
    return path == "/" if area.url == "/" else path.startswith(area.url)
