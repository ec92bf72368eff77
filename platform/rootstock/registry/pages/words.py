"""How the registry's pages say things: pills, persons, shares."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from rootstock.console import formats
from rootstock.console.templatetags.console import pill
from rootstock.registry.models import AdapterVersion, Change, Keep, Promotion
from rootstock.registry.version_selectors import Place

TASKS = {"chat": "Chat", "classification": "Classification", "tagging": "Tagging"}
DATA_TASKS = TASKS | {"preference": "Preference pairs"}  # an adapter that learned from pairs answers in chats
STATES = {
    Promotion.State.OPEN: ("warn", "hourglass"),
    Promotion.State.APPROVED: ("ok", ""),
    Promotion.State.REFUSED: ("neutral", "ban"),
    Promotion.State.WITHDRAWN: ("neutral", "undo-2"),
}
ROLES = {Change.SERVE: ("ok", "", ""), Change.CANARY: ("info", "git-branch", "canary"),
         Change.SHADOW: ("neutral", "eye", "shadow")}  # fmt: skip


def task_words(version: AdapterVersion) -> str:
    """What it is for."""
    return TASKS.get(version.task, version.task)


def state_pill(version: AdapterVersion, places: list[Place]) -> SafeString:
    """Serving, idle or retired."""
    if version.retired_at:
        return pill("neutral", "Retired", "archive")
    return pill("ok", "Serving") if places else pill("info", "Idle", "circle-dashed")


def promotion_pill(promotion: Promotion) -> SafeString:
    """How far a promotion has come."""
    tone, symbol = STATES[Promotion.State(promotion.state)]
    return pill(tone, Promotion.State(promotion.state).label, symbol)


def place_pill(place: Place) -> SafeString:
    """An alias, and what the version is to it."""
    tone, symbol, role = ROLES[place.change]
    told = f"{place.alias.name} · {role} {formats.percentage(place.share)}" if role else place.alias.name
    return format_html(
        '<a href="{}">{}</a>', reverse("alias", args=[place.alias.pk]), pill(tone, told, symbol)
    )


def places_html(places: list[Place]) -> SafeString | str:
    """Every alias that names a version."""
    return format_html_join(" ", "{}", ((place_pill(place),) for place in places)) or formats.NONE


def keep_words(version: AdapterVersion) -> str:
    """Where workers should keep it."""
    return str(Keep(version.keep).label)


def told_apart(one: AdapterVersion, other: AdapterVersion | None) -> tuple[str, str]:
    """Two versions as heads of columns: by their digests alone where they are called the same; empty for none."""
    if other is None:
        return one.reference, ""
    if one.name != other.name:
        return one.reference, other.reference
    return one.reference.removeprefix(one.name), other.reference.removeprefix(other.name)


def version_url(version: AdapterVersion) -> str:
    """The page of a version."""
    return reverse("adapter", args=[version.pk])


def asked(promotion: Promotion) -> str:
    """What a promotion asks for, in words."""
    share = formats.percentage(promotion.share)
    return {
        Change.SERVE: f"{promotion.alias} serves {promotion.version.reference} to everybody",
        Change.CANARY: f"{promotion.alias} serves {promotion.version.reference} to {share} of the requests",
        Change.SHADOW: f"{promotion.alias} compares {share} of its answers with {promotion.version.reference}",
    }[Change(promotion.change)]


def plain(value: Any) -> str:
    """A sample's input or answer as text: labels side by side, entities by their place."""
    if value is None:
        return formats.NONE
    if isinstance(value, list):
        return ", ".join(plain(one) for one in value) or formats.NONE
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(one)}" for key, one in value.items())
    return str(value)


# Figures in the order in which they are compared, with how they are called.
FIGURES = {
    "rouge_l": "ROUGE-L",
    "macro_f1": "Macro-F1",
    "entity_f1": "Entity F1",
    "micro_f1": "Micro-F1",
    "precision": "Precision",
    "recall": "Recall",
    "exact": "Exactly right",
}


def figures_words(metrics: Mapping[str, Any]) -> str:
    """An evaluation's figures on one line."""
    told = ((FIGURES.get(name, name), metrics[name]) for name in in_order(metrics))
    return " · ".join(
        f"{name} {plain(round(value, 3))}" for name, value in told if isinstance(value, int | float)
    )


def in_order(names: Iterable[str]) -> list[str]:
    """Figures, those to compare versions by first; stored objects have no order of their own."""
    known = list(FIGURES)
    return sorted(set(names), key=lambda name: (known.index(name) if name in known else len(known), name))
