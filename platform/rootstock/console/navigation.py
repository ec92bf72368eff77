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
        Area("Adaptation", "/adaptation/", "sprout", "t", "adapters:read", "Models"),
        Area("Deployments", "/deployments/", "git-branch", "d", "adapters:read", "Models"),
        Area("Residency", "/residency/", "memory-stick", "r", "adapters:read", "Models"),
        Area("Playground", "/playground/", "sparkles", "m", "models:use", "Models"),
        Area("Engine", "/engine/", "cpu", "n", "adapters:read", "Models"),
        Area("Usage", "/usage/", "gauge", "b", "usage:read", "Models"),
        Area("Files", "/files/", "files", "l", "files:read", "Models"),
        Area("Jobs", "/jobs/", "list-checks", "j", "jobs:read", "Models"),
        Area("People", "/people/", "users", "p", "people:read", "Admin"),
        Area("API keys", "/keys/", "key-round", "k", "keys:read", "Admin"),
        Area("Webhooks", "/webhooks/", "webhook", "w", "webhooks:read", "Admin"),
        Area("Privacy", "/privacy/", "fingerprint", "y", "privacy:read", "Admin"),
        Area("Audit", "/audit/", "scroll-text", "u", "audit:read", "Admin"),
        Area("Settings", "/settings/", "settings", "o", "settings:write", "Admin"),
    ]


def pages() -> list[Area]:
    """Pages that the palette offers beside the areas."""
    verticals = [
        Area(label, f"/{name}/{path}", SYMBOLS.get(name, "layers"), "", scope, vertical.label)
        for name, vertical in settings.VERTICALS.items()
        for label, path, scope in vertical.pages
    ]
    return [
        *verticals,
        Area("Upload an adapter", "/adapters/upload", "upload", "", "adapters:write", "Adapters"),
        Area("Uploaded adapters", "/adapters/uploads/", "package", "", "adapters:read", "Adapters"),
        Area("Compare versions", "/adapters/compare/", "git-compare", "", "adapters:read", "Adapters"),
        Area("Adapters offered to you", "/adapters/offered/", "share-2", "", "adapters:read", "Adapters"),
        Area("Data sets", "/adapters/datasets/", "database", "", "adapters:read", "Adapters"),
        Area("Bases and shipped adapters", "/adapters/bases/", "database", "", "adapters:read", "Adapters"),
        Area("Train an adapter", "/adaptation/new/", "sprout", "", "adapters:write", "Adaptation"),
        Area("Train a base", "/adaptation/bases/new/", "layers", "", "adapters:write", "Adaptation"),
        Area("Compare trainings", "/adaptation/compare/", "git-compare", "", "adapters:read", "Adaptation"),
        Area(
            "Continual adaptation", "/adaptation/continual/", "refresh-cw", "", "adapters:read", "Adaptation"
        ),
        Area("Promotions", "/deployments/promotions/", "users", "", "adapters:read", "Deployments"),
        Area("API reference", "/api/v1/docs", "file-text", group="Help"),
        Area("Style page", "/style/", "palette", group="Help"),
    ]


def pages_for(scopes: frozenset[str]) -> list[Area]:
    """Those of them that a person with these scopes may open."""
    return [page for page in pages() if not page.scope or page.scope in scopes]


def grouped(found: list[Area]) -> list[tuple[str, list[Area]]]:
    """Areas under the headings of the rail, in the order in which the headings first appear."""
    groups: dict[str, list[Area]] = {}
    for area in found:
        groups.setdefault(area.group, []).append(area)
    return list(groups.items())


def areas_for(scopes: frozenset[str], path: str) -> list[Area]:
    """The areas that a person with these scopes sees; the one of `path` is current."""
    return [
        Area(a.label, a.url, a.symbol, a.key, a.scope, a.group, _is_current(a, path))
        for a in areas()
        if not a.scope or a.scope in scopes
    ]


def _is_current(area: Area, path: str) -> bool:
    return path == "/" if area.url == "/" else path.startswith(area.url)
