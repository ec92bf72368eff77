"""The table of bases."""

from typing import Any

from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from rootstock.console import formats
from rootstock.console.tables import Column, Empty, Table
from rootstock.console.templatetags.console import pill
from rootstock.registry.base import base_card
from rootstock.registry.models import BaseModel, TrainedBase


def _size(row: Any) -> str:
    return filesizeformat(row.bytes)


def lineage_of(row: BaseModel) -> TrainedBase | None:
    """Where the organisation has it from; None where it came from elsewhere."""
    return next(iter(row.lineage), None)  # type: ignore[attr-defined]


def state_words(row: BaseModel) -> SafeString:
    """Whether it is served here now, was, or never."""
    card = base_card()
    if card and card.fingerprint == row.fingerprint:
        return pill("ok", "Served here")
    if row.served_at:
        return pill("neutral", "Served before", "archive")
    return pill("info", "Not served yet", "circle-dashed")


def _fingerprint(row: BaseModel) -> SafeString:
    return format_html('<code title="{}">{}</code>', row.fingerprint, row.fingerprint[:12])


def _made(row: BaseModel) -> str:
    lineage = lineage_of(row)
    if lineage is None:
        return f"Converted from {row.source}" if row.source else formats.NONE
    return f"{lineage.get_recipe_display()}, from {lineage.parent.name}"


def _loss(row: BaseModel) -> str:
    """Of its evaluation set, beside that of the base it was made from."""
    lineage = lineage_of(row)
    if lineage is None:
        return formats.NONE
    return f"{lineage.metrics['requantized_loss']:.3f} (was {lineage.metrics['original_loss']:.3f})"


BASES = Table(
    name="bases",
    label="Base models",
    columns=[
        Column("name", "Base", css="strong"),
        Column("fingerprint", "Fingerprint", value=_fingerprint),
        Column("state", "State", value=state_words),
        Column("made", "Made", value=_made),
        Column("loss", "Held-out loss", value=_loss, css="num"),
        Column("bytes", "Size", value=_size, css="num"),
        Column("licence", "Licence"),
        Column("created_at", "Since"),
    ],
    row_url=lambda row: reverse("base", args=[row.pk]),
    csv=False,
    views=False,
    empty=Empty(
        "No base model yet",
        "The first worker converts the base when it starts; this takes a few seconds.",
        "database",
    ),
)
