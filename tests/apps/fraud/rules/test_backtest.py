"""Rules on history and in the shadow, through REST, worker and job."""

from datetime import timedelta
from decimal import Decimal

import pytest

from apps.fraud.ingest import NewTransaction, counter_lock, listed, payments_store
from apps.fraud.models import Decision
from apps.fraud.rules import backtest
from rootstock.accounts.tenancy import tenant
from rootstock.jobs.models import Job
from tests.apps.fraud.conftest import BASE, body
from tests.apps.fraud.rules.conftest import definition, rule
from tests.apps.fraud.rules.test_in_force import serve
from tests.apps.fraud.test_transactions import problems
from tests.fixtures.jobs import run_job

__all__ = ["serve"]
pytestmark = pytest.mark.usefixtures("runtime", "fresh_rules")
PATH = "/fraud/rules/backtests"
SCOPES = ("fraud:read", "fraud:write", "fraud:rules", "fraud:approve", "jobs:read")
MULE = rule("MULE", "payee_distinct_payers_24h >= 3", 50)
LARGE = rule("LARGE", "amount > 1000", 60)


@pytest.fixture
def keeper(bank):
    """Who may try rules."""
    return bank.api(*SCOPES)


@pytest.fixture
def history(keeper):
    """Twelve payers pay one account, one after another; after the ninth all before it are labelled fraud."""
    sent = [
        body(n, payer=f"P-{n}", payee="MULE", amount="2000.00" if n == 12 else "80.00") for n in range(1, 10)
    ]
    keeper.post("/fraud/transactions", sent)
    keeper.post(
        "/fraud/labels", [{"external_id": f"p-{n}", "fraud": True, "source": "analyst"} for n in range(1, 10)]
    )
    late = [
        body(n, payer=f"P-{n}", payee="MULE", amount="2000.00" if n == 12 else "80.00") for n in range(10, 13)
    ]
    return sent + keeper.post("/fraud/transactions", late).json()["items"]


def write(keeper, *rules, **changes):
    """A version's number."""
    return keeper.post("/fraud/rules/versions", definition(*rules, **changes)).json()["number"]


def tried(bank, keeper, number, **wanted):
    """The result of a back-test."""
    started = keeper.post(PATH, {"version": number, **wanted})
    assert started.status_code == 202, started.json()
    job = started.json()["job"]["id"]
    assert started.json()["result"] is None
    run_job(str(bank.organisation.pk), job, backtest.run)
    answer = keeper.get(f"{PATH}/{job}").json()
    assert answer["job"]["state"] == "succeeded", answer
    return answer["result"]


def test_it_works(bank, keeper, history):
    found = tried(bank, keeper, write(keeper, MULE, LARGE), review_cost=1, decline_cost=10)
    assert (found["payments"], found["frauds"], found["labelled"], found["undecided"]) == (12, 9, 9, 0)
    rules = {one["code"]: one for one in found["by_rule"]}
    assert (rules["MULE"]["hits"], rules["MULE"]["frauds"]) == (9, 6)
    assert (rules["LARGE"]["hits"], rules["LARGE"]["hits_alone"]) == (1, 0)
    alone = found["version_alone"]
    assert (alone["reviews"], alone["declines"], alone["recall"]) == (8, 1, pytest.approx(6 / 9, abs=1e-3))
    assert alone["cost"] == 8 * 1 + 1 * 10 + 3 * 80
    assert found["suggested"]["cost"] <= found["version"]["cost"]
    assert found["in_force"] == ""


def test_it_finds_what_serving_finds(bank, keeper, serve):
    """The same rules in force and on history hold for the same payments: facts are as of each payment's arrival."""
    rules = [
        MULE, LARGE, rule("KNOWN", "payee_known_frauds >= 1", 1), rule("PACE", "payer_count_1h >= 2", 2),
        rule("NEW", "payer_is_new_payee and amount_over_median > 1.5", 3), rule("RISK", "score > 0", 4),
        rule("OLD", "pair_payments >= 3 or payee_days_known > 0.01", 5),
    ]  # fmt: skip
    serve(definition(*rules))
    for part in range(4):
        numbers = range(part * 10 + 1, part * 10 + 11)
        keeper.post(
            "/fraud/transactions",
            [body(n, payer=f"P-{n % 4}", payee=f"Q-{n % 3}", amount=f"{n * n}.00") for n in numbers],
        )
        labels = [{"external_id": f"p-{n}", "fraud": n % 2 == 0, "source": "analyst"} for n in numbers]
        keeper.post("/fraud/labels", labels[:7])
    served = {}
    with tenant(bank.organisation):
        for one in Decision.objects.all():
            for reason in one.reasons:
                if reason["source"] == "rule":
                    served[reason["code"]] = served.get(reason["code"], 0) + 1
    found = tried(bank, keeper, 1)
    assert {one["code"]: one["hits"] for one in found["by_rule"] if one["hits"]} == served
    assert len(served) == len(rules)
    assert found["version"] == found["present"]
    assert found["overlap"]["only_version"] == found["overlap"]["only_in_force"] == {"alerts": 0, "frauds": 0}


def test_a_part_of_the_history_still_sees_what_came_before(bank, keeper, history):
    number = write(keeper, MULE)
    found = tried(bank, keeper, number, since=body(10)["occurred_at"])
    assert (found["payments"], found["by_rule"][0]["hits"]) == (3, 3)
    assert tried(bank, keeper, number, until=body(1)["occurred_at"])["payments"] == 0


def test_labels_of_a_file_judge_and_inform_nothing(bank, keeper):
    given = [
        NewTransaction(
            f"f-{n}", f"P-{n}", "MULE", Decimal("80.00"), "EUR", "card", BASE + timedelta(minutes=n)
        )
        for n in range(6)
    ]
    with tenant(bank.organisation):
        payments_store(counter_lock(bank.organisation), given[:3], listed)
    labels = [{"external_id": f"f-{n}", "fraud": True, "source": "file"} for n in range(3)]
    assert keeper.post("/fraud/labels", labels).status_code == 200
    with tenant(bank.organisation):
        payments_store(counter_lock(bank.organisation), given[3:], listed)
    found = tried(bank, keeper, write(keeper, MULE, rule("KNOWN", "payee_known_frauds >= 1")))
    assert (found["payments"], found["undecided"], found["frauds"]) == (6, 6, 3)
    assert {one["code"]: one["hits"] for one in found["by_rule"]} == {"MULE": 3, "KNOWN": 0}


def test_nothing_to_try_on(bank, keeper):
    found = tried(bank, keeper, write(keeper, MULE))
    assert (found["payments"], found["version"]["precision"]) == (0, None)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": 0}, "version"),
        ({"review_cost": -1}, "review_cost"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z"}, "until"),
        ({"colour": 1}, "colour"),
    ],
)
def test_bad_fields_are_named(keeper, changes, field):
    write(keeper, MULE)
    response = keeper.post(PATH, {"version": 1, **changes})
    assert response.status_code == 422
    assert list(problems(response)) == [field]


def test_scopes_and_organisations(bank, keeper):
    write(keeper, MULE)
    assert keeper.post(PATH, {"version": 7}).status_code == 404
    job = keeper.post(PATH, {"version": 1}).json()["job"]["id"]
    assert bank.api("fraud:read").post(PATH, {"version": 1}).status_code == 403
    stranger = bank.api(*SCOPES, organisation=bank.other)
    assert stranger.get(f"{PATH}/{job}").status_code == 404
    assert stranger.post(PATH, {"version": 1}).status_code == 404
    with tenant(bank.organisation):
        assert Job.objects.get(pk=job).kind == "fraud.backtest"


def test_the_shadow(bank, keeper):
    number = write(keeper, LARGE)
    begun = keeper.post("/fraud/rules/shadow", {"version": number, "reason": "try it"}).json()
    assert (begun["shadow"]["number"], begun["current"]) == (number, None)
    sent = [body(n, amount=f"{n}000.00") for n in (1, 2, 3)]
    decided = keeper.post("/fraud/transactions", sent).json()["items"]
    assert all(one["decision"]["rules"] == "" for one in decided)
    keeper.post("/fraud/labels", {"external_id": "p-3", "fraud": True, "source": "analyst"})
    found = keeper.get(f"/fraud/rules/versions/{number}/shadow").json()
    assert (found["compared"], found["shadow_alerts"]) == (
        {"payments": 3, "frauds": 1}, {"payments": 2, "frauds": 1}
    )  # fmt: skip
    assert found["by_rule"] == [{"code": "LARGE", "hits": 2, "frauds": 1}]
    alerts = sum(one["decision"]["outcome"] != "approve" for one in decided)
    assert found["alerts"]["payments"] == alerts
    assert keeper.post("/fraud/rules/shadow", {"version": number, "reason": "again"}).status_code == 409
    assert keeper.post("/fraud/rules/shadow/end", {"reason": "seen enough"}).json()["shadow"] is None
    assert keeper.get(f"/fraud/rules/versions/{number}/shadow").json() == found
    stranger = bank.api(*SCOPES, organisation=bank.other)
    assert stranger.get(f"/fraud/rules/versions/{number}/shadow").status_code == 404
