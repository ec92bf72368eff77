"""/api/v1/fraud/cycles/rings and its pages: cycles over the same accounts are one ring."""

from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Value
from django.db.models.functions import Concat, Left

from apps.fraud.cycles.models import PaymentCycle, PaymentRing
from apps.fraud.models import Decision, Transaction
from apps.fraud.privacy import HOLDINGS
from rootstock.accounts.tenancy import tenant
from rootstock.privacy.keys import SubjectKey
from tests.apps.fraud.conftest import BASE, body, ring
from tests.apps.fraud.test_cycles import listed, page, search
from tests.apps.fraud.test_transactions import problems

pytestmark = pytest.mark.usefixtures("runtime")
PATH = "/fraud/cycles"


@pytest.fixture
def browser(bank):
    return bank.browser(bank.owner)


def round_and_round(times, name="MILL", length=4):
    """A circle that is paid several times over, each payment a little smaller than the one before it."""
    return [
        body(
            n,
            external_id=f"{name}-{n}",
            payer=f"{name}-ACC-{n % length}",
            payee=f"{name}-ACC-{(n + 1) % length}",
            amount=f"{1000 * 0.97**n:.2f}",
            occurred_at=(BASE + timedelta(hours=n)).isoformat(),
        )
        for n in range(length * times)
    ]


def test_one_ring_of_accounts_is_one(bank, api, browser):
    """However often money goes round in it, and wherever a cycle is taken to begin."""
    payments = round_and_round(3)
    api.post("/fraud/transactions", payments)
    found = search(bank, api)["found"]
    assert found > 8
    [one] = api.get(f"{PATH}/rings").json()["items"]
    assert one["accounts"] == [f"MILL-ACC-{n}" for n in range(4)]
    assert (one["rounds"], one["cycles"]) == (3, found)
    paid, returned = (sum(float(payments[n]["amount"]) for n in places) for places in ((0, 4, 8), (3, 7, 11)))
    assert (float(one["amount_in"]), float(one["amount_out"])) == pytest.approx((paid, returned))
    assert one["share_kept"] == pytest.approx(returned / paid, abs=1e-4)
    assert (one["began_at"], one["ended_at"]) == (
        BASE.isoformat().replace("+00:00", "Z"), (BASE + timedelta(hours=11)).isoformat().replace("+00:00", "Z"),
    )  # fmt: skip
    assert api.get(f"{PATH}/rings/{one['id']}").json() == one
    rounds = [cycle["round"] for cycle in listed(api, ring=one["id"], limit=200)]
    assert sorted(filter(None, rounds)) == [1, 2, 3]
    assert len(rounds) == found
    assert page(browser, "/fraud/cycles/").count("data-row") == 1
    html = page(browser, f"/fraud/cycles/rings/{one['id']}/")
    assert html.count("data-row") == 3
    assert all(name in html for name in one["accounts"])
    assert page(browser, f"/fraud/cycles/rings/{one['id']}/?all=1").count("data-row") == min(found, 50)


def test_the_risk_of_a_ring_is_its_gravest_payment(bank, api, browser):
    api.post("/fraud/transactions", round_and_round(1))
    with tenant(bank.organisation):
        Decision.objects.update(score=0.4, outcome="review")
        grave = Decision.objects.get(transaction__external_id="MILL-2")
        Decision.objects.filter(pk=grave.pk).update(score=0.97, outcome="decline")
        allowed = Decision.objects.get(transaction__external_id="MILL-1")
        Decision.objects.filter(pk=allowed.pk).update(score=0.99, outcome="approve")
    search(bank, api)
    [one] = api.get(f"{PATH}/rings").json()["items"]
    assert (one["score"], one["outcome"]) == (0.97, "decline")
    assert "Critical" in page(browser, "/fraud/cycles/")
    assert "Critical" in page(browser, f"/fraud/cycles/rings/{one['id']}/")
    [cycle] = listed(api)
    assert 'class="risk"' not in page(browser, f"/fraud/cycles/{cycle['id']}/").partition("Its payments")[0]
    with tenant(bank.organisation):
        Decision.objects.filter(pk=grave.pk).update(score=0.3, outcome="approve")
    search(bank, api)
    assert api.get(f"{PATH}/rings/{one['id']}").json()["outcome"] == "review"


def test_a_ring_loses_rounds_with_their_payments_and_goes_with_the_last(bank, api):
    api.post("/fraud/transactions", round_and_round(2))
    search(bank, api)
    fraud = next(kind for kind in HOLDINGS.expiring if kind.name == "fraud.payments")
    for last, left in (("MILL-0", [1]), ("MILL-7", [])):
        with tenant(bank.organisation) as owner:
            before = Transaction.objects.get(external_id=last).received_at + timedelta(microseconds=1)
            Transaction.objects.filter(external_id=last).update(received_at=BASE)
            fraud.delete(owner, BASE + timedelta(microseconds=1) if left else before, 1000)
            assert list(PaymentRing.objects.values_list("rounds", flat=True)) == left


def test_a_ring_stays_the_same_after_one_of_its_accounts_was_erased(bank, api):
    """Nothing leads from the account's number to it any more, and what is found later is still the same ring."""
    api.post("/fraud/transactions", round_and_round(2))
    search(bank, api)
    [one] = api.get(f"{PATH}/rings").json()["items"]
    with tenant(bank.organisation):
        before = PaymentRing.objects.get().fingerprint
        key = SubjectKey.objects.get(pk=Transaction.objects.get(external_id="MILL-0").payer_subject_id)
        HOLDINGS.subjects[0].scrub(key)
        assert PaymentRing.objects.get().fingerprint != before
    again = search(bank, api)
    assert (again["found"], again["new"]) == (one["cycles"], 0)
    [same] = api.get(f"{PATH}/rings").json()["items"]
    assert (same["id"], same["rounds"]) == (one["id"], 2)


def test_cycles_from_before_there_were_rings_are_grouped_by_the_migration(bank, api):
    """As the search groups them."""
    api.post("/fraud/transactions", round_and_round(2) + ring(5, "FIVE"))
    search(bank, api)
    told = ("accounts", "cycles", "rounds", "amount_in", "amount_out", "share_kept", "score", "outcome")
    names = ("fingerprint", "began_at", "ended_at", *told)
    group = import_module("apps.fraud.migrations.0003_rings").group
    with tenant(bank.organisation):
        before = list(PaymentRing.objects.order_by("fingerprint").values(*names))
        numbered = dict(PaymentCycle.objects.values_list("pk", "round"))
        PaymentRing.objects.update(fingerprint=Concat(Value("old"), Left("fingerprint", 50)))
        PaymentCycle.objects.update(round=None)
        group(apps, SimpleNamespace(connection=connection))
        PaymentRing.objects.filter(fingerprint__startswith="old").delete()
        assert list(PaymentRing.objects.order_by("fingerprint").values(*names)) == before
        assert dict(PaymentCycle.objects.values_list("pk", "round")) == numbered
    assert len(before) == 2


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"min_score": 2}, "min_score"), ({"min_rounds": -1}, "min_rounds"), ({"min_amount": "nan"}, "min_amount"),
        ({"ring": "x"}, "ring"),
    ],
)  # fmt: skip
def test_bad_filters_of_rings_are_named(api, query, field):
    answer = api.get(f"{PATH}/rings", **query)
    assert answer.status_code == 422
    assert any(field in name for name in problems(answer)), answer.json()


def test_rings_of_others_are_not_there(bank, api):
    api.post("/fraud/transactions", ring(4, "FOUR") + ring(6, "SIX", amount=5000.0))
    search(bank, api)
    one = api.get(f"{PATH}/rings", min_amount=2000, min_rounds=1, min_score=0).json()["items"][0]
    assert one["accounts"][0] == "SIX-ACC-0"
    stranger = bank.api("fraud:read", organisation=bank.other)
    assert stranger.get(f"{PATH}/rings").json()["items"] == []
    assert stranger.get(f"{PATH}/rings/{one['id']}").status_code == 404
    assert bank.api("fraud:write").get(f"{PATH}/rings").status_code == 403
    bank.assert_private(f"/fraud/cycles/rings/{one['id']}/", "fraud:read")
