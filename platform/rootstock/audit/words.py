"""The trail in words: actions, things, and who acted. Names are looked up when they are shown, never stored."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from rootstock.accounts.models import ApiKey, MachineClient, Organisation, User
from rootstock.accounts.tenancy import tenant

Who = tuple[str, str]  # an actor's kind and id

# What the plain reading of the name ("API key created") does not say well.
ACTIONS = {
    "audit.pruned": "Retention took audit rows",
    "audit.verified": "Audit trail verified",
    "audit.exported": "Audit trail exported",
    "patient.listed": "List of patients read",
    "payment.listed": "List of payments read",
    "conversation.listed": "List of conversations read",
    "patient.read": "Patient's data read",
    "payment.read": "Payment read",
    "payment_ring.listed": "List of rings of accounts read",
    "payment_ring.read": "Ring of accounts read",
    "payment_cycles.search_asked": "Payments searched for cycles",
    "conversation.read": "Conversation read",
    "list_entry.listed": "Lists of payments read",
    "list_entry.read": "Entry of a list read",
    "rules.approved": "Fraud rules agreed to",
    "rules.backtested": "Fraud rules tried on history",
    "rules.end_shadow": "Shadow of fraud rules ended",
    "rules.refused": "Fraud rules refused",
    "rules.requested": "Fraud rules asked for",
    "rules.roll_back": "Fraud rules rolled back",
    "rules.serve": "Fraud rules came into force",
    "rules.shadow": "Shadow of fraud rules began",
    "rules.withdrawn": "Request for fraud rules withdrawn",
    "rules.written": "Fraud rules written",
}
KINDS = {
    "fraud.score": "Payment scored",
    "ehr.deidentify": "Note de-identified",
    "ehr.news2": "NEWS2 scored",
    "gateway.embed": "Texts embedded",
    "gateway.generate": "Text generated",
    "support.emotion": "Emotion read",
    "support.reply": "Answer written",
}
SPELLED = {
    "api": "API",
    "id": "ID",
    "mfa": "MFA",
    "sso": "SSO",
    "oidc": "OIDC",
    "url": "URL",
    "news2": "NEWS2",
}


def action_words(action: str) -> str:
    """`api_key.created` as "API key created"."""
    return ACTIONS.get(action) or _spelled(action.replace(".", " "))


def kind_words(kind: str) -> str:
    """`fraud.score` as "Payment scored"."""
    return KINDS.get(kind) or _spelled(kind.replace(".", " "))


def thing_words(object_type: str) -> str:
    """`api_key` as "API key"."""
    return _spelled(object_type)


def object_url(object_type: str, object_id: str) -> str:
    """The page of a thing; empty where it has none."""
    page = settings.AUDIT_OBJECT_PAGES.get(object_type)
    try:
        return reverse(page, args=[object_id]) if page and object_id else ""
    except NoReverseMatch:
        return ""


def actor_names(
    organisation: Organisation | UUID, actors: Iterable[Who], *, makers: bool = False
) -> dict[Who, str]:
    """Names of people, keys, clients and parts of the system. Whoever is gone is called by kind and id.

    makers: with the person who made the key or client.
    """
    wanted = set(actors)
    found: dict[Who, str] = {who: _unnamed(who) for who in wanted}
    people = [int(id) for kind, id in wanted if kind == "person" and id.isdecimal()]
    for user in User.objects.filter(pk__in=people):
        found["person", str(user.pk)] = _called(user)
    with tenant(organisation):
        for key in ApiKey.objects.select_related("created_by").filter(pk__in=[*_uuids(wanted, "key")]):
            found["key", str(key.pk)] = f"API key {key.name}{_made(key.created_by) if makers else ''}"
        clients = MachineClient.objects.select_related("created_by")
        for client in clients.filter(pk__in=[*_uuids(wanted, "client")]):
            found["client", str(client.pk)] = (
                f"Client {client.name}{_made(client.created_by) if makers else ''}"
            )
    return found


def _called(user: User) -> str:
    return user.get_full_name() or user.get_username()


def _made(maker: User | None) -> str:
    return f", made by {_called(maker)}" if maker else ""


def actors_of(rows: Iterable[Any]) -> list[Who]:
    """The actors of entries or human actions."""
    return [(row.actor_kind, row.actor_id) for row in rows]


def _spelled(text: str) -> str:
    words = [SPELLED.get(word, word) for word in text.replace("_", " ").split()]
    return " ".join(words)[:1].upper() + " ".join(words)[1:]


def _unnamed(who: Who) -> str:
    kind, id = who
    if kind == "system":
        return _spelled(id.replace("-", " ")) if id != "rootstock" else "Rootstock"
    return {"person": "A person who has left", "key": "A deleted API key", "client": "Client"}.get(kind, kind)


def _uuids(wanted: set[Who], kind: str) -> Iterable[UUID]:
    for found, id in wanted:
        if found == kind:
            try:
                yield UUID(id)
            except ValueError:
                continue
