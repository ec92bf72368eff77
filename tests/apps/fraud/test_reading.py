"""GET /api/v1/fraud/transactions, the list and one of them."""

import warnings

import pytest

from tests.apps.fraud.conftest import body

pytestmark = pytest.mark.usefixtures("runtime")
PATH = "/fraud/transactions"


@pytest.fixture
def sent(api):
    """Twelve payments; the last four are a burst."""
    usual = [body(n, payee=f"SHOP-{n % 2}") for n in range(1, 9)]
    burst = [body(n, payee=f"MULE-{n}", amount="900.00", channel="instant") for n in range(9, 13)]
    return api.post(PATH, usual + burst).json()["items"]


def numbers(response):
    return [item["sequence"] for item in response.json()["items"]]


def test_it_works(api, sent):
    response = api.get(PATH)
    assert response.status_code == 200
    assert numbers(response) == list(range(12, 0, -1))
    assert response.json()["next"] is None
    assert response.json()["items"][0] == sent[-1]


def test_paging_sees_every_payment_once_while_others_arrive(api, sent):
    seen, cursor = [], None
    for number in range(20, 40):
        page = api.get(PATH, limit=5, **({"cursor": cursor} if cursor else {}))
        seen += numbers(page)
        cursor = page.json()["next"]
        if cursor is None:
            break
        api.post(PATH, body(number))
    assert seen == list(range(12, 0, -1))


def test_a_page_leaves_nothing_of_its_payments_in_the_log(api, sent):
    """pydantic warns of what is not of its model, and repeats it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert api.get(PATH).status_code == 200


def test_filters(api, sent):
    outcomes = {item["sequence"]: item["decision"]["outcome"] for item in sent}
    scores = {item["sequence"]: item["decision"]["score"] for item in sent}
    for outcome in ("approve", "review", "decline"):
        assert set(numbers(api.get(PATH, outcome=outcome))) == {
            n for n, one in outcomes.items() if one == outcome
        }
    middle = sorted(scores.values())[6]
    assert set(numbers(api.get(PATH, min_score=middle))) == {n for n, one in scores.items() if one >= middle}
    assert numbers(api.get(PATH, account="SHOP-1")) == [7, 5, 3, 1]
    assert numbers(api.get(PATH, account="GB29-0001", outcome="pending")) == []
    assert numbers(api.get(PATH, since="2026-03-02T09:11:00Z")) == [12, 11]
    assert numbers(api.get(PATH, until="2026-03-02T09:02:00Z")) == [1]
    assert numbers(api.get(PATH, account="nobody")) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"outcome": "maybe"}, "outcome"),
        ({"account": ""}, "account"),
        ({"account": " "}, "account"),
        ({"outcome": ""}, "outcome"),
        ({"since": ""}, "since"),
        ({"min_score": ""}, "min_score"),
        ({"min_score": "2"}, "min_score"),
        ({"min_score": "high"}, "min_score"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "-4"}, "cursor"),
        ({"cursor": "9" * 40}, "cursor"),
        ({"limit": "0"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"since": "soon"}, "since"),
    ],
)
def test_bad_queries_are_named(api, query, field):
    response = api.get(PATH, **query)
    assert response.status_code == 422
    assert [one["field"] for one in response.json()["errors"]] == [field]


def test_one_with_what_came_before(api, sent):
    found = api.get(f"{PATH}/{sent[-1]['id']}").json()
    assert found["decision"] == sent[-1]["decision"]
    assert [event["sequence"] for event in found["payer_history"]] == list(range(11, 0, -1))
    assert found["payee_history"] == []
    assert found["payer_history"][0]["outcome"] == sent[-2]["decision"]["outcome"]


def test_unknown_and_foreign_payments_are_not_found(api, bank, sent):
    assert api.get(f"{PATH}/01890000-0000-7000-8000-000000000000").status_code == 404
    stranger = bank.api("fraud:read", organisation=bank.other)
    assert stranger.get(f"{PATH}/{sent[0]['id']}").status_code == 404
    assert stranger.get(PATH).json()["items"] == []


def test_scope_is_needed(bank):
    assert bank.api("ehr:read").get(PATH).status_code == 403
