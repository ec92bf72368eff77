"""The adapters that come with Rootstock: their table, and a page for each card."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from models_zoo.llm.card import ModelError
from models_zoo.zoo.cards import ZooCard, card_read, cards_read
from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.console import formats, selectors
from rootstock.console.tables import Column, Empty, Table
from rootstock.console.templatetags.console import pill
from rootstock.errors import NotFound
from rootstock.lanes.health import snapshot
from rootstock.registry.pages.common import READ, rights


@dataclass(slots=True, frozen=True)
class Shipped:
    """A card, and the reference under which a worker holds the adapter, if one does."""

    card: ZooCard
    resident: str

    @property
    def pk(self) -> str:
        """Its name, which is unique among them."""
        return self.card.name

    @property
    def first(self) -> dict[str, Any]:
        """The figure that it is judged by: the first below its bar, else the first with one, or the first."""
        figures = self.card.figures
        judged = [one for one in figures if "least" in one]
        below = [one for one in judged if one["value"] < one["least"]]
        return next(iter([*below, *judged, *figures]), {})


def shipped_rows(told: Sequence[dict[str, Any]]) -> list[Shipped]:
    """Every card, with what the workers tell."""
    held = {str(one["adapter"]).partition("@")[0]: str(one["adapter"]) for one in told}
    return [Shipped(card, held.get(card.name, "")) for card in cards_read()]


def figure_words(figure: dict[str, Any]) -> str:
    """Its name, with what it was measured on where there is more than one such set."""
    part = str(figure["part"]).removeprefix("test").strip("_").replace("_", " ")
    return " ".join(word for word in (part, str(figure["name"]).replace("_", " ")) if word)


def bar_pill(figure: dict[str, Any]) -> SafeString | str:
    """Whether its bar was reached; nothing without one."""
    if "least" not in figure:
        return ""
    reached = figure["value"] >= figure["least"]
    told = f"{'Reached' if reached else 'Below'} {figure['least']:.3f}"
    return pill("ok", told) if reached else pill("warn", told)


def resident_pill(row: Shipped) -> SafeString | str:
    """Whether a worker holds it, as it came or as this site retrained it."""
    if not row.resident:
        return formats.NONE
    return pill("ok", "In memory" if row.resident == row.card.reference else "In memory, retrained here")


def _value(row: Shipped) -> str:
    one = row.first
    return f"{one['value']:.3f} ({one['low']:.3f}–{one['high']:.3f})" if one else formats.NONE


SHIPPED = Table(
    name="adapters-shipped",
    label="Shipped adapters",
    columns=[
        Column("pk", "Adapter", css="strong mono"),
        Column("task", "Task", value=lambda row: row.card.task.capitalize()),
        Column("figure", "Figure", value=lambda row: figure_words(row.first) if row.first else formats.NONE),
        Column("value", "Value, 95 %", value=_value, css="num"),
        Column("bar", "Bar", value=lambda row: bar_pill(row.first) if row.first else ""),
        Column("bytes", "Size", value=lambda row: filesizeformat(row.card.bytes), css="num"),
        Column("resident", "Resident", value=resident_pill),
    ],
    row_url=lambda row: reverse("shipped", args=[row.pk]),
    csv=False,
    views=False,
    empty=Empty("No cards", "This installation comes without adapters.", "file-text"),
)


@require_GET
@tenant_page(READ)
def shipped_page(request: PageRequest, name: str) -> HttpResponse:
    """What one is for, made from and measured at, where it fails, what not to expect."""
    try:
        card = card_read(name)
    except ModelError:
        raise NotFound(f"no adapter {name} comes with Rootstock") from None
    held = {row.pk: row for row in shipped_rows(selectors.shipped_adapters(snapshot()))}
    context = {
        "tab": "bases",
        "card": card,
        "resident": resident_pill(held[name]) if held[name].resident else "",
        "commands": "\n".join(card.commands),
        "figures": [(figure_words(one), one, bar_pill(one)) for one in card.figures],
        "failures": [(one | {"part": figure_words({**one, "name": ""})}) for one in card.failures],
        "leakage": [
            (figure_words({"part": part, "name": ""}) or "test", one) for part, one in card.leakage.items()
        ],
    }
    return render(request, "registry/shipped.html", context | rights(request))
