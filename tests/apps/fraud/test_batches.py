"""POST /api/v1/fraud/batches, and the job behind it."""

import pytest

from apps.fraud import batches
from apps.fraud.models import Decision, Transaction
from rootstock.accounts.tenancy import tenant
from rootstock.jobs.models import Job
from tests.apps.fraud.conftest import body
from tests.fixtures.jobs import run_job

pytestmark = pytest.mark.usefixtures("runtime")
PATH = "/fraud/batches"


def submit(api, numbers, **headers):
    return api.post(PATH, {"transactions": [body(n) for n in numbers]}, **headers)


def run(bank, job_id, function=batches.score):
    """What the Celery task does."""
    run_job(str(bank.organisation.pk), job_id, function)
    with tenant(bank.organisation):
        return Job.objects.get(pk=job_id)


class Died(BaseException):
    """Stands for kill -9: no handler of ours catches it."""


def expire_lease(bank, job_id):
    with tenant(bank.organisation):
        Job.objects.filter(pk=job_id).update(lease_until="2020-01-01T00:00:00Z")


def test_it_works(api, bank):
    response = submit(api, range(1, 601))
    assert response.status_code == 202
    found = response.json()
    assert (found["accepted"], found["known"]) == (600, 0)
    assert found["job"]["kind"] == "fraud.score_batch"
    job = run(bank, found["job"]["id"])
    assert job.state == "succeeded"
    assert job.result["payments"] == job.done == job.total == 600
    assert sum(job.result["outcomes"].values()) == 600
    with tenant(bank.organisation):
        assert Decision.objects.count() == 600


def test_a_batch_scores_like_singles(api, bank):
    batch = [body(n, payee=f"SHOP-{n % 5}", amount=f"{n}.00") for n in range(1, 40)]
    run(bank, api.post(PATH, {"transactions": batch}).json()["job"]["id"])
    with tenant(bank.organisation):
        in_batch = dict(Transaction.objects.values_list("external_id", "decision__score"))
    other = bank.api("fraud:read", "fraud:write", organisation=bank.other)
    singly = {
        one["external_id"]: other.post("/fraud/transactions", one).json()["decision"]["score"]
        for one in batch
    }
    assert in_batch == pytest.approx(singly, abs=1e-5)


def test_a_worker_that_dies_loses_nothing_and_scores_nothing_twice(api, bank, monkeypatch):
    job_id = submit(api, range(1, 901)).json()["job"]["id"]
    written = batches.decisions_write

    def die_after_the_second_chunk(**arguments):
        written(**arguments)
        if arguments["rows"][-1].sequence > 500:
            raise Died

    monkeypatch.setattr(batches, "decisions_write", die_after_the_second_chunk)
    with pytest.raises(Died):
        run(bank, job_id)
    monkeypatch.setattr(batches, "decisions_write", written)
    with tenant(bank.organisation):
        before = dict(Decision.objects.values_list("transaction_id", "decided_at"))
    assert 0 < len(before) < 900
    expire_lease(bank, job_id)
    job = run(bank, job_id)
    assert (job.state, job.attempts, job.result["payments"]) == ("succeeded", 2, 900)
    with tenant(bank.organisation):
        after = dict(Decision.objects.values_list("transaction_id", "decided_at"))
    assert len(after) == 900
    assert {key: after[key] for key in before} == before


def test_two_workers_at_once_write_each_decision_once(api, bank):
    """A worker that lost its lease goes on for a moment: what it writes changes nothing."""
    job_id = submit(api, range(1, 300)).json()["job"]["id"]

    def robbed(handle):
        expire_lease(bank, job_id)
        run(bank, job_id)
        return batches.score(handle)

    job = run(bank, job_id, robbed)
    assert (job.state, job.attempts) == ("succeeded", 2)
    with tenant(bank.organisation):
        assert Decision.objects.count() == 299


def test_cancelled_between_chunks(api, bank, monkeypatch):
    job_id = submit(api, range(1, 601)).json()["job"]["id"]
    written = batches.decisions_write

    def cancel(**arguments):
        with tenant(bank.organisation):
            Job.objects.filter(pk=job_id).update(cancel_requested=True)
        handles[0]._look_for_cancel()
        written(**arguments)

    handles = []
    monkeypatch.setattr(batches, "decisions_write", cancel)
    job = run(bank, job_id, lambda handle: (handles.append(handle), batches.score(handle))[1])
    assert job.state == "cancelled"
    with tenant(bank.organisation):
        assert Decision.objects.count() == batches.CHUNK


def test_known_payments_are_not_scored_again(api, bank):
    first = api.post("/fraud/transactions", body(2)).json()
    found = submit(api, [1, 2, 3]).json()
    assert (found["accepted"], found["known"]) == (2, 1)
    job = run(bank, found["job"]["id"])
    assert job.result["payments"] == 2
    assert api.get(f"/fraud/transactions/{first['id']}").json()["decision"] == first["decision"]


def test_a_batch_of_known_payments_alone_has_nothing_to_do(api, bank):
    api.post("/fraud/transactions", [body(1), body(2)])
    found = submit(api, [1, 2]).json()
    assert (found["accepted"], found["known"]) == (0, 2)
    assert run(bank, found["job"]["id"]).result == {"payments": 0, "outcomes": {}}


def test_the_same_key_gives_the_same_job(api, bank):
    first = submit(api, [1, 2], **{"Idempotency-Key": "night-1"}).json()
    again = submit(api, [1, 2], **{"Idempotency-Key": "night-1"})
    assert again.status_code == 202
    assert again.json()["job"]["id"] == first["job"]["id"]
    assert submit(api, [3], **{"Idempotency-Key": "night-1"}).status_code == 422
    with tenant(bank.organisation):
        assert Job.objects.count() == 1


def test_bad_payments_carry_their_index_and_nothing_is_stored(api, bank):
    given = {"transactions": [body(1), body(2), body(3), body(4, amount="-1")]}
    response = api.post(PATH, given)
    assert response.status_code == 422
    assert [one["field"] for one in response.json()["errors"]] == ["transactions.3.amount"]
    with tenant(bank.organisation):
        assert not Transaction.objects.exists()


@pytest.mark.parametrize(
    "given", [{}, {"transactions": []}, {"transactions": [body()] * 20_001}, [], {"rows": []}]
)
def test_what_is_no_batch_is_refused(api, given):
    response = api.post(PATH, given)
    assert response.status_code == 422
    assert response["content-type"] == "application/problem+json"


def test_scope_is_needed(bank):
    assert bank.api("fraud:read").post(PATH, {"transactions": [body()]}).status_code == 403
