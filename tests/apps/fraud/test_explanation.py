"""GET /api/v1/fraud/transactions/{id}/explanation, and its part of the payment's page."""

import math
from decimal import Decimal
from uuid import uuid4

import pytest

from apps.fraud.models import Decision, Transaction
from models_zoo.fraud.history import SIDES
from rootstock.accounts.tenancy import tenant
from tests.apps.fraud.conftest import body
from tests.apps.fraud.test_replay import history, wipe

pytestmark = pytest.mark.usefixtures("runtime")
PATH = "/fraud/transactions"


def burst(api, count=6, **last):
    """Habit, then payments to strangers at night from a new telephone; the last of them as answered."""
    habit = [body(n, occurred_at=f"2026-03-{n:02d}T12:00:00Z") for n in range(1, 15)]
    api.post(PATH, habit)
    odd = [
        body(
            100 + n,
            payee=f"MULE-{n}",
            amount="850.00",
            channel="instant",
            device="PHONE-NEW",
            occurred_at=f"2026-03-15T03:0{n}:00Z",
        )
        for n in range(count)
    ]
    odd[-1] |= last
    return api.post(PATH, odd).json()["items"][-1]


def explain(api, id):
    return api.get(f"{PATH}/{id}/explanation")


def test_it_works(api):
    sent = burst(api)
    response = explain(api, sent["id"])
    assert response.status_code == 200, response.json()
    found = response.json()
    assert (found["score"], found["outcome"]) == (sent["decision"]["score"], sent["decision"]["outcome"])
    assert found["outcome"] != "approve"
    assert found["agrees"] is True
    weights = [abs(one["weight"]) for one in found["attributions"]]
    assert weights == sorted(weights, reverse=True)
    assert {one["expert"] for one in found["attributions"]} >= {"tabular"}
    edges = {one["external_id"] for one in found["edges"]}
    assert edges & {f"p-{100 + n}" for n in range(5)}
    assert sent["external_id"] not in edges
    assert len(edges) == len(found["edges"])
    assert {role for one in found["edges"] for role in one["roles"]} <= set(SIDES)
    assert found["latency_ms"] > 0


def test_its_numbers_add_up(api):
    """Attributions to each expert's own logit; contributions, of which it has the decision's, to the score's."""
    sent = burst(api)
    found = explain(api, sent["id"]).json()
    added = {one["expert"]: 0.0 for one in found["experts"]}
    for one in found["attributions"]:
        added[one["expert"]] += one["weight"]
    for one in found["experts"]:
        assert one["usual"] + added[one["expert"]] + one["rest"] == pytest.approx(one["logit"], abs=1e-3)
        assert one["contribution"] == sent["decision"]["contributions"][one["expert"]]
        assert one["asked"] or one["contribution"] == 0
    assert [one["expert"] for one in found["experts"]] == ["tabular", "sequence", "graph"]
    payments = api.get(PATH).json()["items"]
    usual = [usual_of(one) for one in payments if 0.001 < one["decision"]["score"] < 0.99]
    assert usual
    assert usual == pytest.approx([usual[0]] * len(usual), abs=0.02), "they are counted from one number"


def usual_of(payment):
    """The logit of a payment's score less all contributions."""
    score = payment["decision"]["score"]
    return math.log(score / (1 - score)) - sum(payment["decision"]["contributions"].values())


def test_under_that_amount_it_would_have_passed(api, bank):
    """The same history in another organisation, with that amount in the same currency."""
    sent = burst(api, 1, currency="USD")
    under = explain(api, sent["id"]).json()["would_pass_under"]
    assert 0 < Decimal(under) < Decimal(sent["amount"])
    other = bank.api("fraud:read", "fraud:write", organisation=bank.other)
    again = burst(other, 1, currency="USD", amount=under)
    assert again["decision"]["outcome"] == "approve"
    assert explain(other, again["id"]).json()["would_pass_under"] is None


def test_it_is_as_of_its_sequence(api, bank, valkey):
    sent = burst(api)
    first = explain(api, sent["id"]).json()
    history(api, 201, 240)
    api.post("/fraud/labels", {"external_id": "p-100", "fraud": True, "source": "test"})
    wipe(bank, valkey)
    again = explain(api, sent["id"]).json()
    assert {**again, "latency_ms": 0} == {**first, "latency_ms": 0}


def test_what_cannot_be_explained(api, bank):
    assert explain(api, uuid4()).status_code == 404
    sent = burst(api)
    assert explain(bank.api("fraud:write"), sent["id"]).status_code == 403
    assert explain(bank.api("fraud:read", organisation=bank.other), sent["id"]).status_code == 404
    with tenant(bank.organisation):
        Decision.objects.filter(transaction_id=sent["id"]).update(model_digest="0" * 64)
    gone = explain(api, sent["id"])
    assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
    assert "is not shipped any more" in gone.json()["detail"]
    with tenant(bank.organisation):
        Decision.objects.filter(transaction_id=sent["id"]).delete()
        assert Transaction.objects.filter(pk=sent["id"]).exists()
    assert explain(api, sent["id"]).status_code == 409


def test_the_page_loads_it(api, bank):
    sent = burst(api, 1)
    browser = bank.browser(bank.owner)
    page = browser.get(f"/fraud/{sent['id']}/", headers={"accept": "text/html"}).content.decode()
    assert f'hx-get="/fraud/{sent["id"]}/explanation/"' in page
    assert "skeleton" in page
    part = browser.get(f"/fraud/{sent['id']}/explanation/").content.decode()
    assert "Would pass under" in part
    assert "What each feature adds" in part
    assert "p-1" in part


def test_the_page_says_what_is_wrong(api, bank):
    sent = burst(api, 1)
    with tenant(bank.organisation):
        Decision.objects.filter(transaction_id=sent["id"]).update(model_digest="0" * 64)
    browser = bank.browser(bank.owner)
    part = browser.get(f"/fraud/{sent['id']}/explanation/").content.decode()
    assert "No explanation now" in part
    assert "is not shipped any more" in part
    assert "Try again" in part
