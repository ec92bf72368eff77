"""The lists of people, invitations, keys and machine clients, as declared tables."""

from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from rootstock.accounts.models import Role
from rootstock.console.tables import ChoiceFilter, Column, Empty, Table, TextFilter
from rootstock.console.templatetags.console import pill

TONES = {"live": "ok", "open": "info", "accepted": "ok", "expired": "warn", "revoked": "neutral"}


def state_pill(row: Any) -> SafeString:
    """live, expired, revoked, open, accepted."""
    return pill(TONES[row.state], row.state.capitalize())


def named(user: Any) -> str:
    """A person by name, with the user name where there is no other."""
    return (user.get_full_name() or user.username) if user else ""


def _search(found: QuerySet[Any], text: str) -> QuerySet[Any]:
    fields = ("username", "email", "first_name", "last_name")
    return found.filter(Q(*((f"user__{field}__icontains", text) for field in fields), _connector=Q.OR))


def _scopes(row: Any) -> SafeString:
    first, rest = row.scopes[:3], row.scopes[3:]
    more = f" and {len(rest)} more" if rest else ""
    return format_html('<span title="{}">{}{}</span>', ", ".join(row.scopes), ", ".join(first), more)


def _plain_scopes(row: Any) -> str:
    return " ".join(row.scopes)


_NAME = Column("name", "Name", css="strong")
_SCOPES = Column("scopes", "May", value=_scopes, csv=_plain_scopes, css="wide")
_STATE = Column("state", "State", value=state_pill, csv=lambda row: row.state)
_LAST_USED = Column("last_used", "Used last", value=lambda row: row.last_used_at)
_RATE = Column("rate", "Requests a minute", value=lambda row: row.rate_per_minute, css="num", shown=False)
_MADE_BY = Column("created_by", "Made by", value=lambda row: named(row.created_by), shown=False)
_MADE = Column("created", "Made", value=lambda row: row.created_at, order="id")
PEOPLE = Table(
    name="people",
    label="People",
    columns=[
        Column("name", "Name", value=lambda row: named(row.user), css="strong"),
        Column("username", "User name", value=lambda row: row.user.username),
        Column("email", "E-mail", value=lambda row: row.user.email, css="wide"),
        Column("role", "Role", value=lambda row: row.get_role_display()),
        Column("last_login", "Signed in last", value=lambda row: row.user.last_login),
        Column("joined", "Member since", value=lambda row: row.created_at, order="id"),
    ],
    filters=[
        TextFilter("q", "Name or address", apply=_search, personal=True),
        ChoiceFilter("role", "Role", lookup="role", choices=Role.choices),
    ],
    sort="-joined",
    row_url=lambda row: reverse("person", args=[row.pk]),
    empty=Empty("Nobody here", "Invite the first colleague.", "users"),
)
INVITATIONS = Table(
    name="invitations",
    label="Invitations",
    columns=[
        Column("email", "E-mail", css="strong wide"),
        Column("role", "Role", value=lambda row: row.get_role_display()),
        _STATE,
        Column("invited_by", "Invited by", value=lambda row: named(row.invited_by)),
        Column("created", "Invited", value=lambda row: row.created_at, order="id"),
        Column("expires", "Works until", value=lambda row: row.expires_at),
    ],
    filters=[
        TextFilter("q", "Address", lookup="email__icontains", personal=True),
        ChoiceFilter("role", "Role", lookup="role", choices=Role.choices),
    ],
    sort="-created",
    row_url=lambda row: reverse("invitation", args=[row.pk]),
    empty=Empty("No invitations yet", "Invite a colleague by e-mail address; you choose their role.", "mail"),
)
KEYS = Table(
    name="keys",
    label="API keys",
    columns=[
        _NAME,
        Column("prefix", "Token begins", value=lambda row: f"rsk_{row.prefix}…", css="mono"),
        _SCOPES,
        _STATE,
        _LAST_USED,
        Column("expires", "Works until", value=lambda row: row.expires_at),
        _RATE,
        _MADE_BY,
        _MADE,
    ],
    filters=[TextFilter("q", "Name", lookup="name__icontains")],
    sort="-created",
    row_url=lambda row: reverse("key", args=[row.pk]),
    empty=Empty(
        "No API keys yet",
        "A key lets one of your systems call the API, with the scopes you choose and no more.",
        "key-round",
    ),
)
CLIENTS = Table(
    name="clients",
    label="Machine clients",
    columns=[
        _NAME,
        Column("client_id", "Client id", css="mono"),
        _SCOPES,
        _STATE,
        _LAST_USED,
        _RATE,
        _MADE_BY,
        _MADE,
    ],
    filters=[TextFilter("q", "Name", lookup="name__icontains")],
    sort="-created",
    row_url=lambda row: reverse("client", args=[row.pk]),
    empty=Empty(
        "No machine clients yet",
        "For systems that fetch short-lived tokens by OAuth2 client credentials instead of holding a key.",
        "bot",
    ),
)
