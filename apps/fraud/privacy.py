"""The personal data of fraud: holders of accounts, as payers with their devices and as payees with their merchants."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from apps.fraud.cycles.grouping import rings_rekeyed
from apps.fraud.cycles.privacy import cycles_delete, cycles_export, cycles_of, rings_of
from apps.fraud.models import ACCOUNT, Transaction
from apps.fraud.payload import key_of
from apps.fraud.rules.privacy import ENDED, ENTRIES, entries_scrub
from apps.fraud.selectors import shown
from apps.fraud.state import ValkeyHistory
from rootstock.lanes import client, wire
from rootstock.privacy.fields import ROWS_AT_ONCE
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
    account = _account(key)  # a device is the payer's, and no affair of the payee
    found = shown(_payments(key)).order_by("sequence")
    for row in found.iterator(chunk_size=ROWS_AT_ONCE):
        decision = getattr(row, "decision", None)
        yield {
            "id": row.pk, "external_id": row.external_id, "payer": row.payer, "payee": row.payee,
            "device": row.device if row.payer_key == account else None, "merchant": row.merchant,
            "amount": row.amount, "currency": row.currency, "channel": row.channel,
            "occurred_at": row.occurred_at, "received_at": row.received_at,
            "score": decision and decision.score, "probability": decision and decision.probability,
            "rules": decision and decision.rules, "outcome": decision and decision.outcome,
            "reasons": decision and decision.reasons, "model": decision and decision.model,
            "labels": [
                {"fraud": one.fraud, "source": one.source, "known_at": one.known_at, "note": one.note,
                 "received_at": one.received_at}
                for one in row.labels.all()
            ],
        }  # fmt: skip


def _scrub(key: SubjectKey) -> Callable[[], object]:
    """Other random keys take the places of the account's and of its devices' or, as a payee, its merchants'.

    In PostgreSQL now, in Valkey's rings when they are rebuilt. The payments keep their shape for the model, and
    nothing leads from an account's number or a device to them.
    """
    old = _account(key)
    touched, rings = _entities(_payments(key)) | {old}, rings_of(_payments(key))
    for party, belonging in (("payer_key", "device_key"), ("payee_key", "merchant_key")):
        theirs = Transaction.objects.filter(**{party: old})
        for known in set(theirs.exclude(**{belonging: 0}).order_by().values_list(belonging, flat=True)):
            theirs.filter(**{belonging: known}).update(**{belonging: _random_key()})
    new = _random_key()
    Transaction.objects.filter(payer_key=old).update(payer_key=new)
    Transaction.objects.filter(payee_key=old).update(payee_key=new)
    rings_rekeyed(rings)
    entries_scrub(key, old, new)
    _rings_forget(key.organisation_id, touched)
    return lambda: _rings_forget(key.organisation_id, touched)


def _random_key() -> int:
    return key_of(secrets.token_bytes(8))


def _entities(payments: QuerySet[Transaction]) -> set[int]:
    """The keys of everybody and everything that these payments concern."""
    found = payments.order_by().values_list("payer_key", "payee_key", "device_key", "merchant_key").distinct()
    return {one for keys in found for one in keys} - {0}


def _rings_forget(organisation: UUID, entities: Iterable[int]) -> None:
    """Raises Unavailable when Valkey does not answer: nothing is erased half."""
    with wire.reachable():
        ValkeyHistory(client.connection(), organisation).forget(entities)


def _delete_payments(organisation: UUID, before: datetime, most: int) -> int:
    held = held_subjects()
    old = Transaction.objects.filter(received_at__lt=before)
    old = old.exclude(payer_subject__in=held).exclude(payee_subject__in=held).order_by("sequence")
    chosen = list(old.defer("payer", "payee", "device", "merchant")[:most])
    ending = keys_locked(_without_later(chosen))
    going = Transaction.objects.filter(pk__in=[row.pk for row in chosen])
    entities = _entities(going)
    cycles_delete(going)
    going.delete()
    for key in ending:
        key_release(key)
    _rings_forget(organisation, entities)
    # Once more for what a worker read meanwhile, when the payments were still to be seen.
    transaction.on_commit(lambda: _rings_forget(organisation, entities), robust=True)
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
            (
                Kind("fraud.payments", "Payments", lambda key: _payments(key).count(), _export),
                Kind(
                    "fraud.cycles",
                    "Cycles of payments",
                    lambda key: cycles_of(_payments(key)).count(),
                    lambda key: cycles_export(_payments(key)),
                ),
            ),
            _scrub,
        ),
    ),
    everyone=(ENTRIES,),  # of holders of accounts as well, but of most there is none
    expiring=(
        Expiring(
            "fraud.payments",
            "Payments",
            "their arrival",
            _delete_payments,
            lambda: Transaction.objects.exists(),
            batch=1000,
        ),
        ENDED,
    ),
)
