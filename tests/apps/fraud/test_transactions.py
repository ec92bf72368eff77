"""POST /api/v1/fraud/transactions."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.fraud.models import ACCOUNT, Decision, Transaction
from rootstock.accounts.tenancy import tenant
from rootstock.idempotency.models import IdempotentRequest
from rootstock.idempotency.services import IN_FLIGHT
from rootstock.privacy.models import SubjectKey
from tests.apps.fraud.conftest import body

pytestmark = pytest.mark.usefixtures("runtime")
PATH = "/fraud/transactions"


def problems(response):
    """Field to reason of a refusal."""
    assert response["content-type"] == "application/problem+json"
    return {one["field"]: one["reason"] for one in response.json()["errors"]}


def test_it_works(api):
    response = api.post(PATH, body())
    assert response.status_code == 200
    found = response.json()
    assert found["sequence"] == 1
    decision = found["decision"]
    assert 0 <= decision["score"] <= 1
    assert decision["outcome"] in ("approve", "review", "decline")
    assert {"tabular", "rules"} <= set(decision["contributions"])
    assert decision["model"].startswith("fraud@")
    assert decision["latency_ms"] > 0


def test_a_list_comes_back_in_its_order(api):
    response = api.post(PATH, [body(n) for n in (3, 1, 2)])
    items = response.json()["items"]
    assert [item["external_id"] for item in items] == ["p-3", "p-1", "p-2"]
    assert [item["sequence"] for item in items] == [1, 2, 3]
    assert all(item["decision"] for item in items)


def test_a_burst_to_strangers_scores_higher_than_habit(api):
    habit = [body(n, occurred_at=f"2026-03-{n:02d}T12:00:00Z") for n in range(1, 15)]
    usual = api.post(PATH, habit).json()["items"][-1]["decision"]["score"]
    burst = [
        body(
            100 + n,
            payee=f"MULE-{n}",
            amount="850.00",
            channel="instant",
            device="PHONE-NEW",
            occurred_at=f"2026-03-15T03:0{n}:00Z",
        )
        for n in range(6)
    ]
    last = api.post(PATH, burst).json()["items"][-1]["decision"]
    assert last["score"] > 100 * usual
    assert last["outcome"] != "approve"
    assert last["reasons"]


def test_sent_again_it_has_the_same_decision(api, bank):
    first = api.post(PATH, body()).json()
    assert api.post(PATH, body()).json() == first
    assert api.post(PATH, [body(), body(2)]).json()["items"][0] == first
    with tenant(bank.organisation):
        assert Decision.objects.count() == 2


def test_sent_again_in_another_form_it_is_the_same(api):
    first = api.post(PATH, body(amount="12.50")).json()
    again = api.post(PATH, body(amount=12.5, occurred_at="2026-03-02T10:01:00+01:00"))
    assert again.json() == first


@pytest.mark.parametrize(
    ("field", "value"),
    [("amount", "12.51"), ("payee", "X"), ("currency", "GBP"), ("channel", "cash"),
     ("occurred_at", "2026-03-02T09:00:00Z")],
)  # fmt: skip
def test_same_id_with_other_content_is_a_conflict(api, field, value):
    api.post(PATH, body())
    response = api.post(PATH, body(**{field: value}))
    assert response.status_code == 409
    assert list(problems(response)) == [field]


def test_conflict_in_a_list_names_its_index_and_stores_nothing(api, bank):
    api.post(PATH, body())
    response = api.post(PATH, [body(2), body(1, amount="1.00")])
    assert response.status_code == 409
    assert list(problems(response)) == ["transactions.1.amount"]
    with tenant(bank.organisation):
        assert Transaction.objects.count() == 1


def test_a_key_answers_as_elsewhere(api):
    first = api.post(PATH, body(), **{"Idempotency-Key": "k1"})
    again = api.post(PATH, body(), **{"Idempotency-Key": "k1"})
    assert (again.json(), again["Idempotent-Replayed"]) == (first.json(), "true")
    assert api.post(PATH, body(), **{"Idempotency-Key": "k2"}).json() == first.json()
    other = api.post(PATH, body(2), **{"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_what_ended_without_an_answer_is_done_again_under_its_key(api, bank):
    """A process that died left its key taken; the payments say for themselves that they are known."""
    first = api.post(PATH, body(), **{"Idempotency-Key": "k1"}).json()
    with tenant(bank.organisation):
        IdempotentRequest.objects.update(status=None, answer=None)
    waits = api.post(PATH, body(), **{"Idempotency-Key": "k1"})
    assert (waits.status_code, waits.json()["code"]) == (409, "request_in_flight")
    with tenant(bank.organisation):
        IdempotentRequest.objects.update(created_at=timezone.now() - IN_FLIGHT - timedelta(seconds=1))
    assert api.post(PATH, body(), **{"Idempotency-Key": "k1"}).json() == first


def test_device_and_merchant(api, bank):
    given = body(device="phone-7", merchant="Corner shop")
    found = api.post(PATH, given).json()
    assert (found["device"], found["merchant"]) == ("phone-7", "Corner shop")
    assert api.get(f"{PATH}/{found['id']}").json()["device"] == "phone-7"
    assert list(problems(api.post(PATH, body(device="phone-8", merchant="Corner shop")))) == ["device"]
    assert list(problems(api.post(PATH, body()))) == ["device", "merchant"]
    api.post(PATH, [body(2, device="phone-7", merchant="phone-7"), body(3)])
    with tenant(bank.organisation):
        keys = list(Transaction.objects.order_by("sequence").values_list("device_key", "merchant_key"))
    assert (
        keys[0][0] == keys[1][0] != keys[1][1] != 0
    )  # the same name of a device and of a merchant is two things
    assert keys[2] == (0, 0)


def test_late_payments_are_taken_and_told(api):
    """Each counts from its arrival; what it lies behind is the latest clock before it, within a list too."""
    sent = api.post(PATH, [body(10), body(5), body(12), body(11)]).json()["items"]
    assert [one["late_by_s"] for one in sent] == [None, 300.0, None, 60.0]
    assert [one["sequence"] for one in sent] == [1, 2, 3, 4]
    late = api.post(PATH, body(2)).json()
    assert (late["sequence"], late["late_by_s"]) == (5, 600.0)
    assert api.post(PATH, body(2)).json() == late
    assert api.post(PATH, body(13)).json()["late_by_s"] is None


def test_one_wrong_clock_makes_nobody_late(api):
    now = timezone.now()
    ahead = api.post(PATH, body(1, occurred_at=(now + timedelta(hours=20)).isoformat())).json()
    assert ahead["late_by_s"] is None
    assert api.post(PATH, body(2, occurred_at=timezone.now().isoformat())).json()["late_by_s"] is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": "0"}, "amount"),
        ({"amount": "-3"}, "amount"),
        ({"amount": "1.234"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "Infinity"}, "amount"),
        ({"amount": "1e13"}, "amount"),
        ({"amount": None}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": "1e3"}, "amount"),
        ({"amount": "1_000"}, "amount"),
        ({"amount": "\uff11\uff12.50"}, "amount"),
        ({"amount": "\u0661\u0662"}, "amount"),
        ({"currency": "eur"}, "currency"),
        ({"currency": "XXX"}, "currency"),
        ({"channel": "pigeon"}, "channel"),
        ({"payer": ""}, "payer"),
        ({"payer": "   "}, "payer"),
        ({"payee": "a\x00b"}, "payee"),
        ({"payee": "x" * 65}, "payee"),
        ({"device": ""}, "device"),
        ({"device": "x" * 65}, "device"),
        ({"device": " phone"}, "device"),
        ({"merchant": "a\x07b"}, "merchant"),
        ({"merchant": 7}, "merchant"),
        ({"external_id": ""}, "external_id"),
        ({"external_id": "x" * 101}, "external_id"),
        ({"occurred_at": "2026-03-02T09:00:00"}, "occurred_at"),
        ({"occurred_at": "\uff12\uff10\uff12\uff16-03-02T09:00:00Z"}, "occurred_at"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": 1772442000}, "occurred_at"),
        ({"occurred_at": "1772442000"}, "occurred_at"),
        ({"occurred_at": 1772442000.5}, "occurred_at"),
        ({"occurred_at": None}, "occurred_at"),
        ({"occurred_at": "1969-01-01T00:00:00Z"}, "occurred_at"),
        ({"occurred_at": "2999-01-01T00:00:00Z"}, "occurred_at"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_fields_are_named(api, changes, field):
    response = api.post(PATH, body(**changes))
    assert response.status_code == 422
    assert list(problems(response)) == [field]


@pytest.mark.parametrize(
    "hidden",
    ["\u200b", "\u200d", "\u2060", "\ufeff", "\u202e", "\u2066", "\u061c", "\u00ad", "\u0085", "\u2028", "\u2029",
     "\u00a0", "\u2003", "\u3000", "\u3164", "\U000e0041"],
)  # fmt: skip
@pytest.mark.parametrize("field", ["external_id", "payer", "payee", "device", "merchant"])
def test_what_cannot_be_seen_is_in_no_name(api, field, hidden):
    response = api.post(PATH, body(**{field: f"AC{hidden}ME"}))
    assert response.status_code == 422
    assert problems(response) == {
        field: f"must not contain characters that cannot be seen: U+{ord(hidden):04X} is one"
    }


def test_what_was_answered_comes_back_as_known(api):
    """Its moment too, which is told in milliseconds."""
    given = body(occurred_at="2026-03-02T09:01:00.123456Z")
    first = api.post(PATH, given).json()
    assert first["occurred_at"] == "2026-03-02T09:01:00.123Z"
    assert api.post(PATH, {name: first[name] for name in given}).json()["id"] == first["id"]
    other = api.post(PATH, given | {"occurred_at": "2026-03-02T09:01:00.124Z"})
    assert (other.status_code, list(problems(other))) == (409, ["occurred_at"])


@pytest.mark.parametrize("field", ["payer", "payee"])
@pytest.mark.parametrize(
    "wrong",
    ["DE89370400440532013001", "de88 3704 0044 0532 0130 00", "GB00NWBK60161331926819", "NO9386011117948"],
)
def test_check_digits_of_ibans_have_to_fit(api, field, wrong):
    response = api.post(PATH, body(**{field: wrong}))
    assert response.status_code == 422
    assert problems(response) == {field: "is an IBAN whose check digits do not fit"}


@pytest.mark.parametrize(
    "account",
    ["DE89370400440532013000", "de89 3704 0044 0532 0130 00", "DE8937040044053201300", "ZZ00123456789012345"],
)
def test_what_is_no_iban_may_be_called_anything(api, account):
    """A right one, in either case or with blanks; one digit less; a country that there is not."""
    assert api.post(PATH, body(payer=account)).json()["payer"] == account


def test_a_name_is_the_same_however_its_accents_were_typed(api, bank):
    parts, whole = "Cafe\u0301-1", "Caf\u00e9-1"
    names = ("external_id", "payer", "payee", "device", "merchant")
    first = api.post(PATH, body(**dict.fromkeys(names, parts))).json()
    assert [first[name] for name in names] == [whole] * 5
    assert api.post(PATH, body(**dict.fromkeys(names, whole))).json()["id"] == first["id"]
    assert api.get(PATH, account=parts).json()["items"][0]["id"] == first["id"]
    label = {"external_id": parts, "fraud": True, "source": "police"}
    assert api.post("/fraud/labels", label).json()["external_id"] == whole
    with tenant(bank.organisation):
        assert SubjectKey.objects.filter(type=ACCOUNT).count() == 1


def test_names_of_all_scripts_are_taken(api):
    given = {"payer": "Żółć 7", "payee": "東京-1", "merchant": "Café Ümit & Söhne", "device": "телефон"}
    found = api.post(PATH, body(**given)).json()
    assert {name: found[name] for name in given} == given


@pytest.mark.parametrize(
    ("currency", "amount", "most"),
    [("JPY", "100.5", 0), ("JPY", "0.01", 0), ("EUR", "1.005", 2), ("HUF", "1.005", 2)],
)
def test_amounts_have_no_more_decimals_than_their_currency(api, currency, amount, most):
    response = api.post(PATH, body(currency=currency, amount=amount))
    assert response.status_code == 422
    told = problems(response)
    assert list(told) == ["amount"]
    assert f"{most} decimal" in told["amount"]


def test_zeros_behind_an_amount_say_nothing(api):
    items = api.post(PATH, [body(1, currency="JPY", amount="1500.00"), body(2, amount="7.5000")]).json()[
        "items"
    ]
    assert [item["amount"] for item in items] == ["1500.00", "7.50"]


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_a_body_that_says_it_is_no_json_is_refused(api, bank, kind):
    response = api.post(PATH, body(), kind=kind)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
    assert problems(response) == {"Content-Type": "must be application/json"}
    with tenant(bank.organisation):
        assert not Transaction.objects.exists()
    assert api.post(PATH, body(), kind="application/json; charset=utf-8").status_code == 200


def test_a_missing_field_is_named(api):
    given = body()
    del given["payee"]
    assert list(problems(api.post(PATH, given))) == ["payee"]


def test_bad_fields_in_a_list_carry_their_index(api, bank):
    response = api.post(PATH, [body(1), body(2, channel="pigeon"), body(3), body(4, amount="-1")])
    assert response.status_code == 422
    assert list(problems(response)) == ["transactions.1.channel", "transactions.3.amount"]
    with tenant(bank.organisation):
        assert not Transaction.objects.exists()


def test_the_same_id_twice_in_a_list_is_refused(api):
    response = api.post(PATH, [body(1), body(2), body(1), body(2)])
    assert response.status_code == 422
    assert list(problems(response)) == ["transactions.2.external_id", "transactions.3.external_id"]


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json_is_refused(api, raw):
    response = api.post(PATH, raw)
    assert response.status_code == 400
    assert "body" in problems(response)


def test_what_is_wrong_is_told_in_the_words_of_json(api):
    (reason,) = problems(api.post(PATH, 3)).values()
    assert reason == "must be a JSON object"
    (reason,) = problems(api.post(PATH, body(payer="x" * 65))).values()
    assert reason == "String should have at most 64 characters"


@pytest.mark.parametrize("given", [3, "payment", None, True])
def test_what_is_no_payment_is_refused(api, given):
    assert api.post(PATH, given).status_code == 422


def test_the_time_of_a_list_is_said_to_be_the_lists(api):
    one = api.post(PATH, body(1)).json()["decision"]
    many = [item["decision"] for item in api.post(PATH, [body(n) for n in range(1, 6)]).json()["items"]]
    assert (one["batch_size"], many[0]) == (1, one)
    assert {decision["batch_size"] for decision in many[1:]} == {4}
    assert len({decision["latency_ms"] for decision in many[1:]}) == 1


@pytest.mark.parametrize("count", [0, 1001])
def test_lists_have_a_size(api, count):
    response = api.post(PATH, [body(n) for n in range(count)])
    assert response.status_code == 422
    assert "transactions" in problems(response)


@pytest.mark.slow
def test_a_thousand_at_once(api):
    items = api.post(PATH, [body(n) for n in range(1000)]).json()["items"]
    assert len(items) == 1000
    assert all(item["decision"] for item in items)


def test_scope_is_needed(bank):
    assert bank.api("fraud:read").post(PATH, body()).status_code == 403


def test_organisations_number_their_own_payments(bank, api):
    other = bank.api("fraud:write", "fraud:read", organisation=bank.other)
    first, theirs = api.post(PATH, body()).json(), other.post(PATH, body(amount="999.00")).json()
    assert (first["sequence"], theirs["sequence"]) == (1, 1)
    assert api.get(f"{PATH}/{theirs['id']}").status_code == 404


def test_at_the_same_time_each_gets_its_own_number(bank):
    """Concurrent senders, some of them sending the same payment: no gap, no double, one decision each."""
    from django.db import connection

    key, gate = bank.key("fraud:write"), threading.Barrier(4)

    def send(sender: int) -> None:
        from tests.fixtures.world import Api

        gate.wait()
        client = Api(key)
        for number in range(10):
            assert client.post(PATH, body(number * 2 + sender % 2)).status_code == 200
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(4)))
    with tenant(bank.organisation):
        assert sorted(Transaction.objects.values_list("sequence", flat=True)) == list(range(1, 21))
        assert Decision.objects.count() == 20


def test_amounts_far_apart_are_exact(api):
    sent = ["0.01", "999999999999.99"]
    items = api.post(PATH, [body(n, amount=amount) for n, amount in enumerate(sent)]).json()["items"]
    assert [item["amount"] for item in items] == sent


def test_a_payment_to_oneself_scores(api):
    assert api.post(PATH, body(payee="GB29-0001")).json()["decision"]
