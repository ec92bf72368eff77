"""The list of rings of accounts, and the list of a ring's rounds."""

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from apps.fraud.cycles.models import PaymentCycle, PaymentRing
from apps.fraud.cycles.selectors import named
from apps.fraud.evidence import RING
from apps.fraud.tables import level_of
from rootstock.console import formats
from rootstock.console.tables import Column, DateFilter, Empty, NumberFilter, Table
from rootstock.console.templatetags.console import risk

_ARROW = mark_safe(' <span aria-hidden="true">→</span><span class="visually-hidden">to</span> ')


def risk_of(row: PaymentRing) -> SafeString:
    """The gravest decision on its payments."""
    return risk(row.score, level_of(row.score, row.outcome)) if row.score is not None else risk(None)


def _accounts(row: PaymentRing) -> SafeString:
    names = ((name,) for name in row.names)
    return format_html("{}", format_html_join(_ARROW, '<span class="mono nowrap">{}</span>', names))


RINGS = Table(
    name="fraud-rings",
    label="Rings of accounts",
    columns=[
        Column("accounts", "Accounts", value=_accounts, csv=lambda row: " > ".join(row.names), css="wide"),
        Column(
            "score",
            "Highest risk",
            value=risk_of,
            csv=lambda row: row.score,
            order="score",
            nullable=True,
        ),
        Column("rounds", "Rounds", css="num"),
        Column(
            "amount_in",
            "Went out",
            value=lambda row: formats.money(row.amount_in, "EUR"),
            csv=lambda row: row.amount_in,
            css="num",
            order="amount_in",
        ),
        Column(
            "amount_out",
            "Came back",
            value=lambda row: formats.money(row.amount_out, "EUR"),
            csv=lambda row: row.amount_out,
            css="num",
            shown=False,
        ),
        Column(
            "share_kept",
            "Kept",
            value=lambda row: formats.percentage(row.share_kept),
            csv=lambda row: row.share_kept,
            css="num",
        ),
        Column("began_at", "First"),
        Column("ended_at", "Last", order="ended_at", nullable=True),
        Column("found_at", "Found", order="id", shown=False),
    ],
    filters=[
        NumberFilter("rounds", "Rounds", lookup="rounds", least="1", step="1"),
        NumberFilter("amount", "EUR out", lookup="amount_in", least="0"),
        NumberFilter("score", "Risk", lookup="score", least="0", most="1", step="0.01"),
        DateFilter("last", "Last", lookup="ended_at"),
    ],
    sort="-ended_at",
    reads=RING,
    prepare=named,
    row_url=lambda row: reverse("fraud:ring", args=[row.pk]),
    empty=Empty(
        "No cycles found",
        "Search the payments of the last 30 days for money that comes back to where it left, over three or more other "
        "accounts. To search every day, schedule the job “Search payments for cycles”.",
        "waypoints",
    ),
)
ROUNDS = Table(
    name="fraud-cycles",
    label="Rounds",
    columns=[
        Column("round", "Round", value=lambda row: row.round or "shares payments", css="num"),
        Column("began_at", "Began"),
        Column(
            "duration",
            "Took",
            value=lambda row: formats.span(row.duration_s),
            csv=lambda row: row.duration_s,
            css="num",
        ),
        Column(
            "amount_in",
            "Went out",
            value=lambda row: formats.money(row.amount_in, "EUR"),
            csv=lambda row: row.amount_in,
            css="num",
            order="amount_in",
        ),
        Column(
            "amount_out",
            "Came back",
            value=lambda row: formats.money(row.amount_out, "EUR"),
            csv=lambda row: row.amount_out,
            css="num",
        ),
        Column(
            "share_kept",
            "Kept",
            value=lambda row: formats.percentage(row.share_kept),
            csv=lambda row: row.share_kept,
            css="num",
        ),
        Column(
            "score",
            "Mean score",
            value=lambda row: "" if row.score is None else f"{row.score:.2f}",
            csv=lambda row: row.score,
            css="num",
        ),
        Column("found_at", "Found", order="id"),
    ],
    sort="-found_at",
    row_url=lambda row: reverse("fraud:cycle", args=[row.pk]),
)


def title_of(row: PaymentCycle) -> str:
    """What a cycle is called."""
    return f"{formats.money(row.amount_in, 'EUR')} over {row.hops} payments"


def ring_title_of(row: PaymentRing) -> str:
    """What a ring is called."""
    rounds = "1 round" if row.rounds == 1 else f"{row.rounds} rounds"
    return f"{formats.money(row.amount_in, 'EUR')} in {rounds} over {row.accounts} accounts"
