"""The list of cycles."""

from django.urls import reverse

from apps.fraud.cycles.models import PaymentCycle
from rootstock.console import formats
from rootstock.console.tables import Column, DateFilter, Empty, NumberFilter, Table
from rootstock.console.templatetags.console import risk

CYCLES = Table(
    name="fraud-cycles",
    label="Cycles of payments",
    columns=[
        Column("found_at", "Found", order="id"),
        Column(
            "score",
            "Risk",
            value=lambda row: risk(row.score),
            csv=lambda row: row.score,
            order="score",
            nullable=True,
        ),
        Column("hops", "Payments", css="num"),
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
            "duration",
            "Took",
            value=lambda row: formats.span(row.duration_s),
            csv=lambda row: row.duration_s,
            css="num",
        ),
        Column("began_at", "Began"),
    ],
    filters=[
        NumberFilter("hops", "Payments", lookup="hops", least="4", most="8", step="1"),
        NumberFilter("amount", "EUR out", lookup="amount_in", least="0"),
        NumberFilter("score", "Risk", lookup="score", least="0", most="1", step="0.01"),
        DateFilter("found", "Found", lookup="found_at", by_id=True),
    ],
    sort="-found_at",
    row_url=lambda row: reverse("fraud:cycle", args=[row.pk]),
    empty=Empty(
        "No cycles found",
        "Search the payments of the last 30 days for money that comes back to where it left, over three or more other "
        "accounts. To search every day, schedule the job “Search payments for cycles”.",
        "waypoints",
    ),
)


def title_of(row: PaymentCycle) -> str:
    """What a cycle is called."""
    return f"{formats.money(row.amount_in, 'EUR')} over {row.hops} payments"
