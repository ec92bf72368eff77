"""A payment dated ahead of its arrival counts from its arrival: it hides nothing of what comes until then."""

from datetime import datetime, timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from apps.fraud.bundles.serving import Models
from apps.fraud.models import Transaction
from apps.fraud.payload import TIMED, model_time
from apps.fraud.replaying import decided_payment, then_of
from rootstock.accounts.tenancy import tenant
from tests.apps.fraud.conftest import body, ring
from tests.apps.fraud.test_cycles import listed, search
from tests.apps.fraud.test_explanation import explain
from tests.apps.fraud.test_rebuild import rings
from tests.apps.fraud.test_replay import replay, wipe

pytestmark = pytest.mark.usefixtures("runtime")
PATH = "/fraud/transactions"
AHEAD = timedelta(hours=20)


def paid(number, moment):
    """One of a burst of an account's payments to strangers."""
    return body(
        number,
        payee=f"S{number}",
        amount=f"{400 + number}.75",
        channel="instant",
        occurred_at=moment.isoformat(),
    )


def burst(api, at):
    """Ten payments, a microsecond after each other; as answered."""
    return [api.post(PATH, paid(n, at + timedelta(microseconds=n))).json() for n in range(2, 12)]


def scores(answers):
    return [one["decision"]["score"] for one in answers]


@pytest.fixture
def other(bank):
    return bank.api("fraud:read", "fraud:write", organisation=bank.other)


@pytest.fixture
def ahead(api):
    """A payment dated 20 h ahead, as answered."""
    return api.post(PATH, paid(1, timezone.now() + AHEAD)).json()


@pytest.fixture
def arrived(bank, ahead):
    """When it arrived, to the microsecond."""
    with tenant(bank.organisation):
        return Transaction.objects.get(pk=ahead["id"]).received_at


def test_what_follows_scores_as_if_it_had_been_dated_now(api, other, bank, valkey, ahead, arrived):
    """Of another organisation the same payments, the first of them dated when that arrived."""
    ours = [ahead, *burst(api, arrived)]
    theirs = [other.post(PATH, paid(1, arrived)).json(), *burst(other, arrived)]
    assert scores(ours) == scores(theirs)

    models = Models()
    for number, one in enumerate(ours):
        then = then_of(decided_payment(organisation=bank.organisation.pk, id=one["id"]), models)
        assert then.scorer.facts(then.near)[0]["payer_count_1h"] == number
        assert "agrees: " in replay(one["id"])
    assert explain(api, ours[-1]["id"]).json()["agrees"] is True

    before = {key: valkey.get(key)[16:] for key in rings(bank, valkey)}  # all but epoch and since
    wipe(bank, valkey)
    call_command("fraud_rebuild", organisation=bank.organisation.slug)
    assert {key: valkey.get(key)[16:] for key in rings(bank, valkey)} == before
    last = paid(12, arrived + timedelta(microseconds=12))
    assert scores([api.post(PATH, last).json()]) == scores([other.post(PATH, last).json()])


def test_what_is_shown_is_what_it_bears(api, ahead, arrived):
    shown = api.get(f"{PATH}/{ahead['id']}").json()
    assert shown["occurred_at"] == ahead["occurred_at"] > shown["received_at"]
    [one] = api.get(PATH, since=(arrived + AHEAD / 2).isoformat()).json()["items"]
    assert one["id"] == ahead["id"]


def test_the_same_time_in_python_and_in_postgresql(api, bank, ahead, arrived):
    """Of payments ahead, in time and of long ago; those of one list arrive at once."""
    past = [arrived - timedelta(days=400), arrived + timedelta(microseconds=1), arrived + AHEAD]
    sent = api.post(PATH, [paid(n, one) for n, one in enumerate(past, start=2)]).json()["items"]
    assert len({one["received_at"] for one in sent}) == 1
    with tenant(bank.organisation):
        rows = list(Transaction.objects.annotate(time=TIMED).order_by("sequence"))
    assert [row.time for row in rows] == [model_time(row.occurred_at, row.received_at) for row in rows]
    assert [row.time for row in rows] == [arrived, *past[:2], rows[-1].received_at]


def test_a_circle_that_is_dated_ahead_is_found(api, bank):
    """It ended when its last payment arrived."""
    now = timezone.now()
    *given, last = ring(4)
    for place, one in enumerate(given):
        one["occurred_at"] = (now - timedelta(hours=4 - place)).isoformat()
    last["occurred_at"] = (now + AHEAD).isoformat()
    assert api.post(PATH, [*given, last]).status_code == 200
    assert search(bank, api)["found"] == 1
    [one] = listed(api)
    assert now <= datetime.fromisoformat(one["ended_at"]) < now + timedelta(minutes=5)
