"""The key of a person is not destroyed while something of them is being stored, nor used once it goes."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
from django.db import connection
from django.utils import timezone

from apps.fraud.models import Transaction
from apps.fraud.payload import account_key, payloads_of
from apps.fraud.privacy import HOLDINGS
from apps.fraud.records import payments
from apps.fraud.state import ValkeyHistory
from rootstock.accounts.tenancy import tenant
from rootstock.privacy.holdings import key_release
from rootstock.privacy.models import RetentionRule, SubjectKey
from rootstock.privacy.retention import retention_enforce
from rootstock.privacy.subjects import subject_find
from tests.rootstock.privacy.conftest import ACCOUNT, COUNTERPARTY, Planted, pay

LONG_AGO = timedelta(days=400)


def beside(work: Callable[[], object]) -> threading.Thread:
    """Start work in another transaction; back when it is done or waits for a lock."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    until = time.monotonic() + 30
    while thread.is_alive() and not waiting() and time.monotonic() < until:
        time.sleep(0.02)
    return thread


def waiting() -> bool:
    """Whether anybody waits for the end of a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
        return bool(cursor.fetchone()[0])


def accounts(planted: Planted) -> list[tuple[str, str]]:
    """What can be read of the payments."""
    with tenant(planted.organisation):
        return [(row.payer, row.payee) for row in Transaction.objects.order_by("sequence")]


def test_retention_waits_for_a_payment_that_is_being_stored(planted: Planted) -> None:
    pay(planted.organisation, (ACCOUNT, COUNTERPARTY))
    with tenant(planted.organisation) as owner:
        Transaction.objects.update(received_at=timezone.now() - LONG_AGO)
        RetentionRule.objects.create(
            organisation_id=owner, kind="fraud.payments", days=365, changed_by="test"
        )
    with tenant(planted.organisation):
        pay(planted.organisation, (COUNTERPARTY, ACCOUNT), start=2)
        thread = beside(lambda: retention_enforce(planted.organisation))
    thread.join()
    assert accounts(planted) == [(COUNTERPARTY, ACCOUNT)]


def test_a_payment_waits_for_the_end_of_a_key_and_gets_a_new_one(planted: Planted) -> None:
    pay(planted.organisation, (ACCOUNT, COUNTERPARTY))
    with tenant(planted.organisation) as owner:
        former = subject_find(owner, "fraud.account", ACCOUNT)
        assert former
        Transaction.objects.all().delete()
        key_release(former)
        thread = beside(lambda: pay(planted.organisation, (COUNTERPARTY, ACCOUNT), start=2))
    thread.join()
    assert accounts(planted) == [(COUNTERPARTY, ACCOUNT)]
    with tenant(planted.organisation):
        assert SubjectKey.objects.get(pk=former.pk).is_destroyed


def test_a_deleted_payment_does_not_stay_in_a_ring_that_was_read_meanwhile(
    planted: Planted, valkey: Any
) -> None:
    pay(planted.organisation, (ACCOUNT, COUNTERPARTY))
    account = account_key(planted.organisation.pk, ACCOUNT)
    history = ValkeyHistory(valkey, planted.organisation.pk)
    with tenant(planted.organisation):
        history.neighbourhood(payments(payloads_of(list(Transaction.objects.all()))))
    payments_kind = next(kind for kind in HOLDINGS.expiring if kind.name == "fraud.payments")

    def score() -> None:
        history.forget([account])  # as if Valkey had lost it: it is read from what is still to be seen
        with tenant(planted.organisation):
            history.before(np.array([account]), np.array([2]))

    with tenant(planted.organisation) as owner:
        assert payments_kind.delete(owner, timezone.now(), 10) == 1
        beside(score).join()
        assert valkey.exists(history.rings.key(account))
    assert not valkey.exists(history.rings.key(account))
