"""The personal data of fraud: holders of accounts, as payers and payees."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from apps.fraud.models import ACCOUNT, Transaction
from apps.fraud.payload import key_of
from apps.fraud.state import ValkeyHistory
from rootstock.lanes import client, wire
from rootstock.privacy.holdings import Expiring, Holdings, Kind, SubjectType, key_release
from rootstock.privacy.holds import held_subjects
from rootstock.privacy.keys import SubjectKey
from rootstock.privacy.subjects import keys_locked, subject_find


def _find(organisation: UUID, reference: str) -> list[SubjectKey]:
    found = subject_find(organisation, ACCOUNT, reference)
    return [found] if found else []


def _account(key: SubjectKey) -> int:
    return key_of(bytes(key.reference_index or b""))


def _payments(key: SubjectKey) -> QuerySet[Transaction]:
    """By the account's key, which has an index. Of a destroyed subject there are none to be found."""
    if key.is_destroyed:
        return Transaction.objects.none()
    account = _account(key)
    return Transaction.objects.filter(Q(payer_key=account) | Q(payee_key=account))


def _export(key: SubjectKey) -> Iterator[dict[str, Any]]:
    for row in _payments(key).select_related("decision").order_by("sequence").iterator():
        decision = getattr(row, "decision", None)
        yield {
            "id": row.pk, "external_id": row.external_id, "payer": row.payer, "payee": row.payee,
            "amount": row.amount, "currency": row.currency, "channel": row.channel,
            "occurred_at": row.occurred_at, "received_at": row.received_at,
            "score": decision and decision.score, "outcome": decision and decision.outcome,
            "reasons": decision and decision.reasons, "model": decision and decision.model,
        }  # fmt: skip


def _scrub(key: SubjectKey) -> Callable[[], object]:
    """Another random key takes the account's place, in PostgreSQL now and in Valkey's rings when they are rebuilt.

    The payments keep their shape for the model, and nothing leads from an account's number to them.
    """
    old, new = _account(key), int.from_bytes(secrets.token_bytes(8), "big", signed=True)
    touched = [old, *_counterparties(key)]
    Transaction.objects.filter(payer_key=old).update(payer_key=new)
    Transaction.objects.filter(payee_key=old).update(payee_key=new)
    _rings_forget(key.organisation_id, touched)
    return lambda: _rings_forget(key.organisation_id, touched)


def _counterparties(key: SubjectKey) -> set[int]:
    pairs = _payments(key).order_by().values_list("payer_key", "payee_key").distinct()
    return {account for pair in pairs for account in pair}


def _rings_forget(organisation: UUID, accounts: Iterable[int]) -> None:
    """Raises Unavailable when Valkey does not answer: nothing is erased half."""
    with wire.reachable():
        ValkeyHistory(client.connection(), organisation).forget(accounts)


def _delete_payments(organisation: UUID, before: datetime, most: int) -> int:
    held = held_subjects()
    old = Transaction.objects.filter(received_at__lt=before)
    old = old.exclude(payer_subject__in=held).exclude(payee_subject__in=held).order_by("sequence")
    chosen = list(old.defer("payer", "payee")[:most])
    ending = keys_locked(_without_later(chosen))
    Transaction.objects.filter(pk__in=[row.pk for row in chosen]).delete()
    for key in ending:
        key_release(key)
    accounts = {account for row in chosen for account in (row.payer_key, row.payee_key)}
    _rings_forget(organisation, accounts)
    # Once more for what a worker read meanwhile, when the payments were still to be seen.
    transaction.on_commit(lambda: _rings_forget(organisation, accounts), robust=True)
    return len(chosen)


def _without_later(chosen: Sequence[Transaction]) -> list[UUID]:
    """The persons of these payments who seem to have no later ones: the accounts in use are not locked."""
    persons = {pk for row in chosen for pk in (row.payer_subject_id, row.payee_subject_id)}
    last = chosen[-1].sequence if chosen else 0
    keys = SubjectKey.objects.filter(pk__in=persons, destroyed_at=None)
    return [key.pk for key in keys if not _payments(key).filter(sequence__gt=last).exists()]


HOLDINGS = Holdings(
    subjects=(
        SubjectType(
            ACCOUNT,
            "Account holder",
            "the account's number, in full",
            _find,
            (Kind("fraud.payments", "Payments", lambda key: _payments(key).count(), _export),),
            _scrub,
        ),
    ),
    expiring=(
        Expiring(
            "fraud.payments",
            "Payments",
            "their arrival",
            _delete_payments,
            lambda: Transaction.objects.exists(),
            batch=1000,
        ),
    ),
)
