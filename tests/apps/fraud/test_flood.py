"""Many payments on one pair of accounts, nearly all flagged: none is lost, and all have their reasons."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from apps.fraud.models import Decision, Transaction
from rootstock.accounts.tenancy import tenant
from tests.apps.fraud.conftest import BASE, body

pytestmark = pytest.mark.usefixtures("runtime")
PATH = "/fraud/transactions"


def attack(first, count):
    return [
        body(n, amount=f"{300 + n % 50}.00", channel="instant", occurred_at=f"{BASE:%Y-%m-%d}T03:00:00Z")
        for n in range(first, first + count)
    ]


def test_lists_at_once(api, bank):
    def sent(first):
        try:
            return api.post(PATH, attack(first, 50))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(sent, range(1, 201, 50)))
    assert [one.status_code for one in answers] == [200] * 4
    decisions = [one["decision"] for answer in answers for one in answer.json()["items"]]
    flagged = [one for one in decisions if one["outcome"] != "approve"]
    assert len(flagged) > 150
    assert all(one["reasons"] and one["contributions"]["tabular"] for one in flagged)
    assert all(reason["values"] for one in flagged for reason in one["reasons"])


def test_a_list_that_was_not_answered_in_time_comes_back_with_its_decisions(api, bank, runtime):
    """The worker is busy for longer than the caller waits: 504. The same request under its key is answered then."""
    key, given = {"Idempotency-Key": "night-1"}, attack(1, 20)
    with runtime._consumers["fraud.score"].lock:
        late = api.post(PATH, given, **key)
    assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
    with tenant(bank.organisation):
        stored = list(Transaction.objects.order_by("sequence").values_list("external_id", flat=True))
    assert stored == [one["external_id"] for one in given]
    api.post(PATH, attack(21, 5))
    again = api.post(PATH, given, **key)
    assert again.status_code == 200, again.json()
    found = again.json()["items"]
    assert [one["external_id"] for one in found] == stored
    assert [one["sequence"] for one in found] == list(range(1, 21))
    assert all(one["decision"] for one in found)
    with tenant(bank.organisation):
        assert Decision.objects.count() == 25
    assert api.post(PATH, given, **key).json() == again.json()
