"""/api/v1/fraud/cycles and /fraud/cycles/: searched for by a job, kept once, told by webhook, shown."""

from datetime import timedelta

import pytest

from apps.fraud.cycles import searching
from apps.fraud.cycles.models import CyclePayment, PaymentCycle
from apps.fraud.models import Transaction
from apps.fraud.privacy import HOLDINGS
from rootstock.accounts.tenancy import tenant
from rootstock.jobs.models import Job
from rootstock.privacy.keys import SubjectKey
from rootstock.privacy.subjects import key_destroy
from rootstock.webhooks.models import WebhookEvent
from tests.apps.fraud.conftest import BASE, body, ring
from tests.apps.fraud.test_transactions import problems
from tests.fixtures.jobs import run_job

pytestmark = pytest.mark.usefixtures("runtime")
PATH = "/fraud/cycles"


@pytest.fixture
def sent(api):
    """Usual payments, a circle of three, one of four and one of six."""
    usual = [body(n, payee=f"SHOP-{n % 3}") for n in range(1, 20)]
    for payments in (usual, ring(3, "THREE"), ring(4, "FOUR"), ring(6, "SIX", amount=5000.0)):
        assert api.post("/fraud/transactions", payments).status_code == 200


def search(bank, api, **wanted):
    """The result of a search."""
    started = api.post(f"{PATH}/searches", wanted)
    assert started.status_code == 202, started.json()
    assert started.json()["result"] is None
    job = started.json()["job"]["id"]
    run_job(bank.organisation.pk, job)
    answer = api.get(f"{PATH}/searches/{job}").json()
    assert answer["job"]["state"] == "succeeded", answer
    return answer["result"]


def listed(api, **query):
    """The items of the list."""
    answer = api.get(PATH, **query)
    assert answer.status_code == 200, answer.json()
    return answer.json()["items"]


def test_it_works(bank, api, sent):
    result = search(bank, api)
    assert (result["payments"], result["found"], result["new"], result["known"]) == (32, 2, 2, 0)
    assert result["hops"] == {"4": 1, "6": 1}
    assert set(result["cut"].values()) == {0}
    found = {one["hops"]: one for one in listed(api)}
    assert (found[6]["amount_in"], found[6]["amount_out"]) == ("5000.00", "2952.45")
    assert found[6]["share_kept"] == pytest.approx(0.9**5, abs=1e-3)
    assert (found[4]["duration_s"], found[4]["job_id"]) == (3 * 3600, found[6]["job_id"])
    whole = api.get(f"{PATH}/{found[4]['id']}").json()
    assert [one["external_id"] for one in whole["payments"]] == [f"FOUR-{n}" for n in range(4)]
    assert whole["payments"][0]["payer"] == whole["payments"][-1]["payee"] == "FOUR-ACC-0"
    decided = [
        api.get(f"/fraud/transactions/{one['transaction_id']}").json()["decision"]
        for one in whole["payments"]
    ]
    assert found[4]["score"] == pytest.approx(sum(one["probability"] for one in decided) / 4)
    assert [one["outcome"] for one in whole["payments"]] == [one["outcome"] for one in decided]


def test_what_is_known_is_kept_once(bank, api, sent):
    search(bank, api)
    again = search(bank, api)
    assert (again["found"], again["new"], again["known"]) == (2, 0, 2)
    api.post("/fraud/transactions", ring(5, "FIVE"))
    assert search(bank, api)["new"] == 1
    assert sorted(one["hops"] for one in listed(api)) == [4, 5, 6]
    with tenant(bank.organisation):
        assert (PaymentCycle.objects.count(), CyclePayment.objects.count()) == (3, 15)


def test_only_findings_are_told(bank, api, sent, settings):
    settings.WEBHOOK_ALLOW = ("127.0.0.1",)
    hook = {"url": "http://127.0.0.1:9/", "events": ["fraud.cycles_found"]}
    made = bank.api("webhooks:read", "webhooks:write").post("/webhooks/endpoints", hook)
    assert made.status_code == 201, made.json()
    for _ in range(2):
        search(bank, api)
    with tenant(bank.organisation):
        told = list(WebhookEvent.objects.filter(type="fraud.cycles_found").values_list("data", flat=True))
        first = Job.objects.filter(kind="fraud.find_cycles").order_by("pk").first()
    assert told == [{"job": str(first.pk), "found": 2, "new": 2}]


def test_filters_and_pages(bank, api, sent):
    search(bank, api)
    assert [one["hops"] for one in listed(api, min_hops=5)] == [6]
    assert [one["hops"] for one in listed(api, min_amount=2000)] == [6]
    assert listed(api, min_score=1.0) == []
    job = listed(api)[0]["job_id"]
    assert len(listed(api, search=job)) == 2
    assert listed(api, search=str(bank.organisation.pk)) == []
    first = api.get(PATH, limit=1).json()
    second = api.get(PATH, limit=1, cursor=first["next"]).json()
    assert (len(first["items"]), len(second["items"]), second["next"]) == (1, 1, None)
    assert first["items"][0]["id"] > second["items"][0]["id"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"min_score": 2}, "min_score"), ({"min_hops": -1}, "min_hops"), ({"min_amount": "nan"}, "min_amount"),
        ({"cursor": "x"}, "cursor"), ({"limit": 0}, "limit"), ({"search": "x"}, "search"), ({"colour": 1}, "colour"),
    ],
)  # fmt: skip
def test_bad_filters_are_named(api, query, field):
    answer = api.get(PATH, **query)
    assert answer.status_code == 422
    assert any(field in name for name in problems(answer)), answer.json()


@pytest.mark.parametrize(
    "wanted",
    [
        {"days": 0}, {"days": 400}, {"max_hops": 9}, {"max_hops": 3}, {"window_h": 0}, {"least_share": 1.5},
        {"most": 0}, {"until": "yesterday"}, {"colour": 1},
    ],
)  # fmt: skip
def test_bad_settings_are_named(api, wanted):
    answer = api.post(f"{PATH}/searches", wanted)
    assert answer.status_code == 422
    assert next(iter(wanted)) in problems(answer)


def test_settings_decide(bank, api, sent):
    assert search(bank, api, max_hops=5)["hops"] == {"4": 1}
    assert search(bank, api, window_h=4)["hops"] == {"4": 1}
    assert search(bank, api, least_share=0.95)["found"] == 0
    assert search(bank, api, until=(BASE + timedelta(hours=4)).isoformat())["hops"] == {"4": 1}
    assert search(bank, api, days=1, until=(BASE - timedelta(days=2)).isoformat())["payments"] == 0
    assert search(bank, api, most=1)["cut"]["starts"] == 1


def test_no_payments_at_all(bank, api):
    result = search(bank, api)
    assert (result["payments"], result["found"], result["since"]) == (0, 0, None)


def test_the_newest_of_a_long_stream_are_read(bank, api, sent, monkeypatch):
    monkeypatch.setattr(searching, "MOST", 6)
    monkeypatch.setattr(searching, "AT_ONCE", 4)
    result = search(bank, api)
    assert (result["payments"], result["hops"], result["cut"]["unread"]) == (6, {"6": 1}, 26)


def test_other_currencies_count_by_their_worth(bank, api):
    payments = ring(4)
    payments[1] |= {"currency": "JPY", "amount": "150000.00"}
    api.post("/fraud/transactions", payments)
    assert search(bank, api)["found"] == 1


def test_one_search_at_a_time_and_keys(bank, api):
    key = {"idempotency-key": "search-1"}
    first = api.post(f"{PATH}/searches", {}, **key)
    again = api.post(f"{PATH}/searches", {}, **key)
    assert (first.status_code, again.json()["job"]["id"]) == (202, first.json()["job"]["id"])
    assert api.post(f"{PATH}/searches", {}).status_code == 409


def test_it_can_be_scheduled(bank, api):
    keeper = bank.api("fraud:write", "jobs:write", "jobs:read")
    wanted = {"name": "cycles", "kind": "fraud.find_cycles", "params": {"days": 5}, "cron": "0 3 * * *"}
    made = keeper.post("/jobs/schedules", wanted)
    assert made.status_code == 201, made.json()
    assert (made.json()["params"]["days"], made.json()["params"]["max_hops"]) == (5, 6)
    wrong = keeper.post("/jobs/schedules", wanted | {"name": "b", "params": {"max_hops": 20}})
    assert "params.max_hops" in problems(wrong)


def test_other_organisations_and_scopes(bank, api, sent):
    search(bank, api)
    one = listed(api)[0]
    stranger = bank.api("fraud:read", "fraud:write", organisation=bank.other)
    assert listed(stranger) == []
    for path in (f"{PATH}/{one['id']}", f"{PATH}/searches/{one['job_id']}"):
        assert stranger.get(path).status_code == 404
    assert bank.api("fraud:read").post(f"{PATH}/searches", {}).status_code == 403
    assert bank.api("fraud:write").get(PATH).status_code == 403
    assert bank.api("fraud:write").get(f"{PATH}/{one['id']}").status_code == 403


def test_a_cycle_goes_with_its_payments(bank, api, sent):
    search(bank, api)
    with tenant(bank.organisation):
        one = Transaction.objects.get(external_id="SIX-0")
        before = one.received_at + timedelta(microseconds=1)
    fraud = next(kind for kind in HOLDINGS.expiring if kind.name == "fraud.payments")
    with tenant(bank.organisation) as owner:
        fraud.delete(owner, before, 1000)
    assert listed(api) == []


def test_a_person_is_told_of_their_cycles(bank, api, sent):
    search(bank, api)
    with tenant(bank.organisation):
        key = SubjectKey.objects.get(pk=Transaction.objects.get(external_id="FOUR-0").payer_subject_id)
        kind = next(one for one in HOLDINGS.subjects[0].kinds if one.name == "fraud.cycles")
        told = list(kind.export(key))
        own = set(
            Transaction.objects.filter(external_id__in=["FOUR-0", "FOUR-3"]).values_list("pk", flat=True)
        )
        assert kind.count(key) == 1
    assert [(one["hops"], set(one["payments"])) for one in told] == [(4, own)]


def test_who_is_erased_is_named_no_more(bank, api, browser, sent):
    search(bank, api)
    with tenant(bank.organisation):
        key_destroy(SubjectKey.objects.get(pk=Transaction.objects.get(external_id="FOUR-0").payer_subject_id))
    one = next(one for one in listed(api) if one["hops"] == 4)
    shown = api.get(f"{PATH}/{one['id']}").json()["payments"]
    assert (shown[0]["payer"], shown[3]["payee"], shown[0]["payee"]) == ("erased", "erased", "FOUR-ACC-1")
    assert "FOUR-ACC-0" not in page(browser, f"/fraud/cycles/{one['id']}/")


@pytest.fixture
def browser(bank):
    return bank.browser(bank.owner)


def page(browser, path):
    return browser.get(path, headers={"accept": "text/html"}).content.decode()


def test_the_page(bank, api, browser, sent):
    assert "No cycles found" in page(browser, "/fraud/cycles/")
    told = browser.post("/fraud/cycles/search", follow=True).content.decode()
    assert "The search has begun" in told
    assert "Payments are being searched" in told
    assert "Nothing was changed" in browser.post("/fraud/cycles/search", follow=True).content.decode()
    with tenant(bank.organisation):
        job = Job.objects.get(kind="fraud.find_cycles")
    run_job(bank.organisation.pk, job.pk)
    html = page(browser, "/fraud/cycles/")
    assert "2 new cycles and 0 known ones" in html
    assert "5,000.00" in html
    assert "SIX-ACC-5" in html
    assert "5,000.00" not in page(browser, "/fraud/cycles/?amount_max=2000")
    one = next(one for one in listed(api) if one["hops"] == 4)
    html = page(browser, f"/fraud/cycles/{one['id']}/")
    with tenant(bank.organisation):
        links = [
            f"/fraud/{pk}/"
            for pk in Transaction.objects.filter(external_id__startswith="FOUR-").values_list("pk", flat=True)
        ]
    assert all(link in html for link in links)
    assert "FOUR-ACC-2" in html


def test_a_failed_search_is_said(bank, browser, api, monkeypatch):
    def broken(*_: object) -> None:
        raise ValueError("no")

    started = api.post(f"{PATH}/searches", {}).json()["job"]["id"]
    monkeypatch.setattr("rootstock.jobs.retry.delay_s", lambda job, told: None)
    run_job(bank.organisation.pk, started, broken)
    assert "The last search failed" in page(browser, "/fraud/cycles/")


def test_who_may_not(bank, api, browser, sent):
    search(bank, api)
    path = f"/fraud/cycles/{listed(api)[0]['id']}"
    bank.assert_private(f"{path}/", "fraud:read")
    bank.assert_private(f"/api/v1{path}", "fraud:read")
    assert browser.get(f"/fraud/cycles/{bank.organisation.pk}/").status_code == 404
