"""The console's components for templates: `{% load console %}`. Each is shown on the style page."""

import datetime
import json
import zlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from django import template
from django.template import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from rootstock.console import formats
from rootstock.console.charts import Chart
from rootstock.console.diffs import side_by_side
from rootstock.console.emotions import TONE_FACES, tone_of
from rootstock.console.graphs import Graph
from rootstock.console.personal import link_to

register = template.Library()

SPRITE = "console/vendor/lucide/icons.svg"
TONE_ICONS = {
    "ok": "circle-check",
    "warn": "triangle-alert",
    "error": "octagon-alert",
    "info": "info",
    "accent": "circle-dot",
    "neutral": "circle",
}
RISK_ICONS = {"low": "circle", "medium": "triangle", "high": "diamond", "critical": "octagon-alert"}
STATES = {
    "queued": ("neutral", "clock", "Queued"),
    "running": ("info", "loader-circle", "Running"),
    "cancelling": ("warn", "loader-circle", "Cancelling"),
    "succeeded": ("ok", "circle-check", "Succeeded"),
    "failed": ("error", "octagon-alert", "Failed"),
    "cancelled": ("neutral", "ban", "Cancelled"),
}
# One colour for a kind of entity in every note; other labels get one by their checksum.
ENTITY_HUES = {
    "name": 1, "id": 2, "date": 3, "age": 3, "organisation": 4, "contact": 5, "location": 6,
    "symptom": 2, "medication": 4, "condition": 6,
}  # fmt: skip


class SpanLike(Protocol):
    start: int
    end: int
    label: str


@register.simple_tag(takes_context=True)
def personal_link(context: Context, page: str, table: str, name: str, value: str) -> str:
    """The address of a list that is narrowed to a person, whose value stands sealed in it."""
    return link_to(context["request"], page, table, name, value)


@register.simple_tag
def icon(name: str, label: str = "", css: str = "") -> SafeString:
    """An icon of the sprite; without a label it is decoration and hidden from screen readers."""
    meaning = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html(
        '<svg class="icon {}" {}><use href="{}#{}"></use></svg>', css, meaning, static(SPRITE), name
    )


@register.simple_tag
def pill(tone: str, text: str, symbol: str = "") -> SafeString:
    """A short status; tone is one of TONE_ICONS and never the only sign: each has its own icon."""
    return _pill(tone, symbol or TONE_ICONS.get(tone, "circle"), text)


@register.simple_tag
def status_pill(state: str) -> SafeString:
    """The state of a job or another piece of work."""
    tone, symbol, text = STATES.get(
        str(state), ("neutral", "circle", str(state).replace("_", " ").capitalize())
    )
    return _pill(tone, symbol, text, "spin" if symbol == "loader-circle" else "")


def _pill(tone: str, symbol: str, text: str, css: str = "") -> SafeString:
    return format_html('<span class="pill" data-tone="{}">{}{}</span>', tone, icon(symbol, css=css), text)


@register.simple_tag
def risk(score: float | None, level: str = "") -> SafeString:
    """Risk as word, shape and colour with the score beside it; the vertical may give its own level."""
    if score is None:
        return pill("neutral", "Not scored")
    level = level or formats.risk_level(float(score))
    return format_html(
        '<span class="risk" data-level="{}">{}{} <span class="risk-score">{}</span></span>',
        level,
        icon(RISK_ICONS.get(level, "circle")),
        level.capitalize(),
        f"{score:.2f}",
    )


@register.simple_tag
def meter(share: float, level: str = "", label: str = "") -> SafeString:
    """A bar from 0 to 1. An SVG, because the page's policy allows no inline style for a width."""
    width = f"{max(0.0, min(1.0, float(share))) * 100:.1f}"
    return format_html(
        '<svg class="meter" data-level="{}" viewBox="0 0 100 8" preserveAspectRatio="none" {}>'
        '<rect width="{}" height="8"></rect></svg>',
        level,
        format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"'),
        width,
    )


@register.simple_tag
def sparkline(values: Sequence[float | None]) -> SafeString:
    """The shape of the last values; the figure beside it says the newest, so it is decoration."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return mark_safe('<svg class="spark" viewBox="0 0 100 24" aria-hidden="true"></svg>')
    least, most = min(known), max(known)
    across, span = 100 / (len(values) - 1), (most - least) or 1
    points = " ".join(
        f"{place * across:.1f},{22 - 20 * (value - least) / span:.1f}"
        for place, value in enumerate(values)
        if value is not None
    )
    return format_html(
        '<svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">'
        '<polyline points="{}" vector-effect="non-scaling-stroke"></polyline></svg>',
        points,
    )


@register.simple_tag
def parts(contributions: Mapping[str, float]) -> SafeString:
    """What each part adds to a score: bars to the right of a line raise it, those to the left lower it. The words and
    numbers beside them say the same, so the drawing is decoration."""
    most = max((abs(value) for value in contributions.values()), default=0.0) or 1.0
    rows = format_html_join(
        "",
        "<li data-effect='{0}'><span>{1}</span>{2}<span class='parts-effect'>{0}</span>"
        "<span class='num'>{3}</span></li>",
        (
            (_effect(value), name, _diverging(value / most), formats.signed(value))
            for name, value in contributions.items()
        ),
    )
    return format_html('<ul class="parts">{}</ul>', rows)


def _effect(value: float) -> str:
    return "no effect" if round(value, 2) == 0 else "raises" if value > 0 else "lowers"


def _diverging(share: float) -> SafeString:
    """A bar from the middle, -1 to 1."""
    width = min(abs(share), 1.0) * 50
    return format_html(
        '<svg class="meter" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect x="{}" width="{}" height="8"></rect>'
        '<line x1="50" x2="50" y1="0" y2="8" vector-effect="non-scaling-stroke"></line></svg>',
        f"{50.0 if share >= 0 else 50 - width:.1f}",
        f"{width:.1f}",
    )


@register.inclusion_tag("console/components/progress.html")
def progress_bar(
    done: int,
    total: int | None = None,
    message: str = "",
    eta_s: float | None = None,
    label: str = "Progress",
) -> dict[str, Any]:
    """Progress; without a total the bar only says that work goes on."""
    share = min(1.0, done / total) if total else None
    return {"done": done, "total": total, "share": share, "message": message, "eta_s": eta_s, "label": label}


@register.inclusion_tag("console/components/chart_card.html")
def chart_card(chart: Chart) -> dict[str, Any]:
    """A chart with its table one click away."""
    return {"chart": chart, "spec_id": f"chart-{chart.id}-spec"}


@register.inclusion_tag("console/components/graph_card.html")
def graph_card(graph: Graph) -> dict[str, Any]:
    """A graph with its list one click away."""
    return {"graph": graph, "spec_id": f"graph-{graph.id}-spec"}


@register.inclusion_tag("console/components/ai_mark.html")
def ai_mark(
    model: str, adapter: str = "", confidence: float | None = None, text: str = "Written by AI"
) -> dict[str, Any]:
    """Marks output of a model, with the exact versions that made it."""
    return {"model": model, "adapter": adapter, "confidence": confidence, "text": text}


@register.simple_tag
def emotion(label: str, score: float | None = None, tone: str = "") -> SafeString:
    """The emotion read from one turn; tone positive, neutral or negative."""
    tone = tone or tone_of(label)
    symbol = TONE_FACES.get(tone, "meh")
    shown = f"{label.capitalize()} {formats.percentage(score)}" if score is not None else label.capitalize()
    return format_html(
        '<span class="emotion" data-tone="{}">{}<span class="visually-hidden">Emotion: </span>{}</span>',
        tone,
        icon(symbol),
        shown,
    )


@register.simple_tag
def marked_note(text: str, spans: Sequence[SpanLike | Mapping[str, Any]]) -> SafeString:
    """A note with its entities marked. Spans are character offsets; one that overlaps an earlier is left out."""
    pieces: list[SafeString | str] = []
    position = 0
    for start, end, label in sorted(_span(span) for span in spans):
        if start < position or end > len(text):
            continue
        pieces += [text[position:start], _entity(text[start:end], label)]
        position = end
    pieces.append(text[position:])
    return format_html(
        '<div class="note">{}</div>', format_html_join("", "{}", ((piece,) for piece in pieces))
    )


def _span(span: SpanLike | Mapping[str, Any]) -> tuple[int, int, str]:
    if isinstance(span, Mapping):
        return int(span["start"]), int(span["end"]), str(span["label"])
    return span.start, span.end, span.label


def _entity(text: str, label: str) -> SafeString:
    hue = ENTITY_HUES.get(label.lower()) or zlib.crc32(label.lower().encode()) % 6 + 1
    return format_html('<mark class="entity" data-label="{}" data-hue="{}">{}</mark>', label, hue, text)


@register.inclusion_tag("console/components/json.html")
def json_view(value: Any, label: str = "JSON") -> dict[str, Any]:
    """Any JSON value, indented, with a copy button."""
    return {"text": json.dumps(value, indent=2, ensure_ascii=False, default=str), "label": label}


@register.inclusion_tag("console/components/json.html")
def code_view(text: str, label: str = "Code") -> dict[str, Any]:
    """Text as it is, with a copy button."""
    return {"text": text, "label": label, "plain": True}


@register.inclusion_tag("console/components/diff.html")
def diff(old: Any, new: Any, old_title: str = "Before", new_title: str = "After") -> dict[str, Any]:
    """Two versions side by side: texts, or values as JSON."""
    titles = {"old_title": old_title, "new_title": new_title, "label": f"{old_title} and {new_title}"}
    return {"lines": side_by_side(old, new), **titles}


@register.simple_block_tag(end_name="endplaintable")
def plaintable(content: str, label: str, *heads: str, wide: bool = False) -> SafeString:
    """A short table around its rows. A head that ends in `:num` stands over figures, in `:hidden` is only read aloud.

    On a phone its rows become cards, unless `wide`, which lets it scroll.
    """
    return format_html(
        '<div class="table-wrap{}" tabindex="0" role="region" aria-label="{}: table"><table class="table">'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>",
        " keep-table" if wide else "",
        label,
        format_html_join("", "{}", ((_head(head),) for head in heads)),
        content,
    )


def _head(head: str) -> SafeString:
    text, _, kind = head.partition(":")
    shown = format_html('<span class="visually-hidden">{}</span>', text) if kind == "hidden" else text
    return format_html('<th scope="col" class="{}">{}</th>', "num" if kind == "num" else "", shown)


@register.simple_tag
def when(moment: datetime.datetime | datetime.date | None, empty: str = formats.NONE) -> SafeString | str:
    """A time: the browser rewrites it in the viewer's zone and keeps the exact instant as its title."""
    if moment is None:
        return empty
    if not isinstance(moment, datetime.datetime):
        return format_html(
            '<time datetime="{}" class="nowrap">{}</time>', moment.isoformat(), formats.moment(moment)
        )
    moment = moment if timezone.is_aware(moment) else timezone.make_aware(moment)
    return format_html(
        '<time datetime="{}" title="{} {}" data-local class="nowrap">{}</time>',
        moment.isoformat(),
        formats.moment(moment),
        moment.tzname(),
        formats.moment(moment),
    )


@register.filter
def abbrev(value: float | Decimal | None) -> SafeString | str:
    """A large number abbreviated, the exact one on hover."""
    if value is None:
        return formats.NONE
    return format_html('<span title="{}">{}</span>', f"{value:,}", formats.abbreviated(float(value)))


@register.filter
def amount(value: Decimal | float | None, currency: str = "") -> SafeString | str:
    """An amount of money that never wraps."""
    return (
        formats.NONE
        if value is None
        else format_html('<span class="num">{}</span>', formats.money(value, currency))
    )


@register.filter
def code_marks(text: str) -> SafeString:
    """Text with its `back-ticked` parts as code; everything is escaped."""
    pieces = text.split("`")
    marked = (
        (format_html("<code>{}</code>", piece) if index % 2 else piece) for index, piece in enumerate(pieces)
    )
    return format_html_join("", "{}", ((piece,) for piece in marked))


@register.filter
def percent(value: float | None, digits: int = 0) -> str:
    """0.57 as 57 %."""
    return formats.NONE if value is None else formats.percentage(value, digits)


@register.filter
def span_of(seconds: float | None) -> str:
    """Seconds as a length of time."""
    return formats.NONE if seconds is None else formats.span(float(seconds))
