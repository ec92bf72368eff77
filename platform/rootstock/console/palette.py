"""The command palette: pages and actions by role, and things found by their id or reference."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from rootstock.accounts.models import Membership, Organisation
from rootstock.accounts.roles import ROLE_SCOPES
from rootstock.console.finding import MOST, Found
from rootstock.console.navigation import areas_for, pages_for

MIN_TEXT, MAX_TEXT = 2, 100
SEARCHES: tuple[tuple[str, str, str], ...] = (
    ("Jobs", "jobs:read", "rootstock.console.finders.jobs"),
    ("Adapters", "adapters:read", "rootstock.console.finders.adapters"),
    ("Aliases", "adapters:read", "rootstock.console.finders.aliases"),
    ("People", "people:read", "rootstock.console.finders.people"),
    ("API keys", "keys:read", "rootstock.console.finders.keys"),
)


@dataclass(slots=True, frozen=True)
class Group:
    """Lines under a heading."""

    label: str
    items: list[Found]


Search = Callable[..., Iterable[Found]]


def commands(membership: Membership, others: list[Membership]) -> list[Group]:
    """What can be reached without searching: pages, then actions."""
    scopes = ROLE_SCOPES[membership.role]
    areas = [
        Found(a.label, a.url, a.group or "Page", a.symbol, f"g {a.key}" if a.key else "")
        for a in areas_for(scopes, "")
    ]
    pages = [Found(p.label, p.url, p.group, p.symbol) for p in pages_for(scopes)]
    return [Group("Pages", [*areas, *pages]), Group("Actions", [*_switches(membership, others), *_ACTIONS])]


_ACTIONS = [
    Found("Light theme", symbol="sun", press='[data-theme-choice="light"]'),
    Found("Dark theme", symbol="moon", press='[data-theme-choice="dark"]'),
    Found("Theme of the system", symbol="monitor", press='[data-theme-choice="system"]'),
    Found("Keyboard shortcuts", symbol="keyboard", keys="?", press="[data-help]"),
    Found("Narrow or widen the menu", symbol="panel-left-close", press="[data-rail-fold]"),
    Found("Sign out", symbol="log-out", press="[data-sign-out]"),
]


def _switches(membership: Membership, others: list[Membership]) -> list[Found]:
    return [
        Found(
            f"Switch to {other.organisation.name}",
            hint="Organisation",
            symbol="building-2",
            press=f'#organisation-menu [value="{other.organisation_id}"]',
        )
        for other in others
        if other.organisation_id != membership.organisation_id
    ]


def found(membership: Membership, text: str) -> list[Group]:
    """Jobs, adapters, people and what the verticals hold, as far as the role may see them."""
    text = text.strip()[:MAX_TEXT]
    if len(text) < MIN_TEXT:
        return []
    scopes = ROLE_SCOPES[membership.role]
    groups = [
        Group(label, _search(path, membership.organisation, text, scopes))
        for label, scope, path in _searches()
        if scope in scopes
    ]
    return [group for group in groups if group.items]


def _searches() -> Iterable[tuple[str, str, str]]:
    yield from SEARCHES
    for name, vertical in settings.VERTICALS.items():
        if vertical.search:
            yield vertical.label, f"{name}:read", vertical.search


def _search(path: str, organisation: Organisation, text: str, scopes: frozenset[str]) -> list[Found]:
    search: Search = import_string(path)
    return list(search(organisation=organisation, text=text, scopes=scopes))[:MOST]


def as_json(groups: list[Group]) -> dict[str, Any]:
    """For the palette's script."""
    return {"groups": [asdict(group) for group in groups]}
