"""The pages under /fraud/."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.fraud.models import Decision
from apps.fraud.values import unit_of
from models_zoo.fraud.facts import FACTS
from rootstock.accounts.tenancy import tenant
from tests.apps.fraud.conftest import body

pytestmark = pytest.mark.usefixtures("runtime")


@pytest.fixture
def sent(api, bank):
    """Some usual payments, and a burst to a payee that is on the list to deny."""
    entry = {"effect": "deny", "kind": "payee", "value": "MULE-1", "reason": "a mule"}
    assert bank.api("fraud:rules").post("/fraud/lists", entry).status_code == 201
    usual = [body(n, payee=f"SHOP-{n % 3}") for n in range(1, 7)]
    burst = [
        body(n, payee="MULE-1", payer=f"V-{n}", amount="900.00", channel="instant", device="PHONE-NEW")
        for n in range(7, 12)
    ]
    return api.post("/fraud/transactions", usual + burst).json()["items"]


@pytest.fixture
def browser(bank):
    return bank.browser(bank.owner)


def page(browser, path="/fraud/"):
    response = browser.get(path, headers={"accept": "text/html"})
    return response, response.content.decode()


def test_it_works(browser, sent):
    response, html = page(browser)
    assert response.status_code == 200
    assert all(item["external_id"] in html for item in sent)
    assert "Main reason" in html
    assert "900.00" in html


def test_reasons_are_told_with_their_values(browser, sent, bank):
    with tenant(bank.organisation):
        Decision.objects.filter(transaction_id=sent[-1]["id"]).update(
            latency_ms=104.0,
            batch_size=100,
            reasons=[
                {
                    "code": "QUICK", "text": "Soon after", "weight": 1.0, "source": "model",
                    "values": {"payer_out_since": 0.0833, "amount": 1234.5, "payer_fraud_since": None, "channel": 3.0},
                }
            ],
        )  # fmt: skip
    _, html = page(browser, f"/fraud/{sent[-1]['id']}/")
    told = dict(re.findall(r"<li><code>(\w+)</code>: <span[^>]*>([^<]*)</span></li>", html))
    assert told == {
        "payer_out_since": "0.0833\u00a0h", "amount": "1,234.5\u00a0EUR", "payer_fraud_since": "not measured",
        "channel": "instant",
    }  # fmt: skip
    assert "in 104 ms, together with 99 others" in html


def test_units_are_those_of_the_facts():
    units = {
        "euros that": "EUR",
        "amount in euros": "EUR",
        "hours between": "h",
        "days between": "days",
        "hour of": "h",
    }
    for name, fact in FACTS.items():
        wanted = next((unit for words, unit in units.items() if fact.meaning.startswith(words)), "")
        if fact.meaning.startswith("euros that the payee paid on over"):
            wanted = ""
        assert (unit_of(name), unit_of(fact.feature)) == (wanted, wanted), name


def test_empty_says_what_to_do(browser):
    _, html = page(browser)
    assert "No payments yet" in html
    assert "/api/v1/fraud/transactions" in html


def test_filters_and_their_empty_state(browser, sent):
    _, html = page(browser, "/fraud/?account=V-8")
    assert "p-8" in html
    assert ">p-7<" not in html
    _, html = page(browser, "/fraud/?account=nobody")
    assert "Nothing fits these filters" in html
    outcome = sent[-1]["decision"]["outcome"]
    _, html = page(browser, f"/fraud/?outcome={outcome}")
    assert sent[-1]["external_id"] in html


@pytest.mark.parametrize(
    "query", ["score_min=high", "outcome=maybe", "after=x", "score_max=7", "score_min=nan"]
)
def test_bad_filters_are_said(browser, query):
    response, html = page(browser, f"/fraud/?{query}")
    assert response.status_code == 422
    assert query.split("=")[0] in html


def test_paging(browser, api):
    api.post("/fraud/transactions", [body(n) for n in range(1, 61)])
    _, html = page(browser)
    assert 'rel="next"' in html
    following = re.search(r'href="([^"]+)" rel="next"', html).group(1)
    _, older = page(browser, f"/fraud/{following}")
    assert ">p-10<" in older
    assert ">p-11<" not in older


def test_one_payment(browser, sent):
    _, html = page(browser, f"/fraud/{sent[-1]['id']}/")
    for part in (
        "Why",
        "What moved the score",
        "Rules and lists",
        "lists@1",
        "Accounts around this payment",
        "<svg",
        "fraud@",
    ):
        assert part in html
    assert sent[-1]["decision"]["reasons"][0]["text"] in html
    assert "V-7" in html  # an earlier payer of the same payee


def test_contributions_are_told_with_their_signs(browser, sent, bank):
    with tenant(bank.organisation):
        Decision.objects.filter(transaction_id=sent[-1]["id"]).update(
            contributions={"rules": 0.0, "tabular": 2.355, "sequence": 0.101, "graph": -0.642}
        )
    _, html = page(browser, f"/fraud/{sent[-1]['id']}/")
    told = re.findall(
        r"<li data-effect='([^']*)'><span>([^<]*)</span>.*?<rect x=\"([\d.]+)\" width=\"([\d.]+)\".*?"
        r"'num'>([^<]*)</span>",
        html,
    )
    assert told == [
        ("raises", "This payment", "50.0", "50.0", "+2.35"),
        ("lowers", "Network of accounts", "36.4", "13.6", "\u22120.64"),
        ("raises", "Order of payments", "50.0", "2.1", "+0.10"),
        ("no effect", "Rules and lists", "50.0", "0.0", "0.00"),
    ]
    assert "+1.81 together" in html


def test_no_account_stands_in_an_address(browser, sent):
    _, html = page(browser, f"/fraud/{sent[-1]['id']}/")
    values = re.findall(r"[?]account=([^\"&]*)", html)
    assert len(values) > 2  # of the payer, the payee and the drawn network
    assert all(value.startswith("~") for value in values)
    _, html = page(browser, f"/fraud/?account={values[0]}")
    assert f">{sent[-1]['external_id']}<" in html


def test_a_first_payment(browser, sent):
    _, html = page(browser, f"/fraud/{sent[0]['id']}/")
    assert "No earlier payment" in html


def test_nothing_is_markup(browser, api):
    nasty = "<script>alert(1)</script>"
    sent = api.post("/fraud/transactions", body(payee=nasty, external_id=nasty)).json()
    for path in ("/fraud/", f"/fraud/{sent['id']}/"):
        _, html = page(browser, path)
        assert nasty not in html
        assert "&lt;script&gt;" in html


def test_others_see_nothing(bank, sent):
    stranger = bank.browser(bank.stranger)
    response, html = page(stranger)
    assert response.status_code == 200
    assert "No payments yet" in html
    assert page(stranger, f"/fraud/{sent[0]['id']}/")[0].status_code == 404


def test_signing_in_is_needed(client):
    assert client.get("/fraud/").status_code == 302


def test_the_days_of_arrival_narrow_the_list(browser, sent):
    today = timezone.now().date()
    _, html = page(browser, f"/fraud/?received_from={today}&received_to={today}")
    assert all(item["external_id"] in html for item in sent)
    _, html = page(browser, f"/fraud/?received_from={today + timedelta(days=2)}")
    assert "Nothing fits these filters" in html
    _, html = page(browser, f"/fraud/?received_to={today - timedelta(days=2)}")
    assert "Nothing fits these filters" in html
