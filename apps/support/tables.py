"""The list of conversations."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.support.charting import trend
from apps.support.evidence import CONVERSATION
from apps.support.models import Conversation
from apps.support.selectors import conversations_matching
from rootstock.accounts.models import Organisation
from rootstock.console import formats
from rootstock.console.tables import ChoiceFilter, Column, Empty, Table, TextFilter
from rootstock.console.templatetags.console import emotion, meter, pill

GROUPS = (("upset", "Upset"), ("neutral", "Neutral"), ("positive", "Positive"))
STATES = {Conversation.State.OPEN: ("accent", "Open"), Conversation.State.CLOSED: ("neutral", "Closed")}


def _emotion(row: Conversation) -> SafeString | str:
    return emotion(row.last_label) if row.last_label else ""


def _level(row: Conversation) -> SafeString | str:
    if row.last_level is None:
        return ""
    return format_html(
        '{} <span class="num">{}</span>',
        meter(row.last_level, trend(row).level),
        formats.percentage(row.last_level),
    )


def _trend(row: Conversation) -> SafeString:
    found = trend(row)
    return pill(found.tone, found.word, found.symbol)


COLUMNS = [
    Column("subject", "Conversation", value=lambda row: row.subject or "No subject", css="strong wide"),
    Column("customer", "Customer"),
    Column("emotion", "Last emotion", value=_emotion, csv=lambda row: row.last_label),
    Column("level", "Upset level", value=_level, csv=lambda row: row.last_level, css="nowrap"),
    Column("trend", "Trend", value=_trend, csv=lambda row: row.level_change),
    Column("turn_count", "Turns", css="num"),
    Column("last_activity_at", "Last activity", order="last_activity_at"),
    Column("created_at", "Started", order="id", shown=False),
    Column(
        "state",
        "State",
        value=lambda row: pill(*STATES[Conversation.State(row.state)]),
        csv=lambda row: row.state,
    ),
]


def conversations_table(organisation: Organisation) -> Table:
    """Conversations, the newest first."""

    def mentioning(queryset: QuerySet[Any], text: str) -> QuerySet[Any]:
        return queryset.filter(conversations_matching(organisation.pk, text))

    return Table(
        name="support-conversations",
        label="Conversations",
        columns=COLUMNS,
        filters=[
            TextFilter("search", "Subject or customer", apply=mentioning, personal=True),
            ChoiceFilter("state", "State", lookup="state", choices=Conversation.State.choices),
            ChoiceFilter("group", "Last emotion", lookup="last_group", choices=GROUPS),
        ],
        sort="-created_at",
        reads=CONVERSATION,
        row_url=lambda row: reverse("support:conversation", args=[row.pk]),
        live_s=5,
        empty=Empty(
            "No conversations here",
            "Start one, or let a customer's channel open it over REST. Each customer turn shows how it was felt.",
            "messages-square",
            "/support/new",
            "New conversation",
        ),
    )
