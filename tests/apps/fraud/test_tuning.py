"""POST /api/v1/fraud/models with `tune`: settings tried by the job, told on the version's card and page."""

import pytest

from apps.fraud import backfill
from apps.fraud.bundles import training
from apps.fraud.bundles.models import ModelVersion
from models_zoo.fraud.experts import tuning
from models_zoo.fraud.learning import SHIPPED
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.jobs.models import Job
from tests.apps.fraud.conftest import body
from tests.apps.fraud.test_batches import run
from tests.apps.fraud.test_models import PATH, history
from tests.apps.fraud.test_transactions import problems

pytestmark = [pytest.mark.usefixtures("runtime"), pytest.mark.xdist_group("fraud-models")]
TRIALS = len(tuning.AROUND)


@pytest.fixture
def api(bank):
    return bank.api("fraud:read", "fraud:write", "jobs:read", "jobs:write")


@pytest.fixture
def frauds(api):
    """As many as are asked for before a training begins."""
    api.post("/fraud/transactions", [body(n) for n in range(1, 61)])
    api.post(
        "/fraud/labels",
        [{"external_id": f"p-{n}", "fraud": True, "source": "test"} for n in range(1, 61)],
    )


def cancelled_at(api, job_id, message):
    """The training, cancelled by its REST route when its progress says so."""

    def train(handle):
        told = handle.progress

        def progress(done, total, text, **given):
            if text.startswith(message):
                assert api.post(f"/jobs/{job_id}/cancel").status_code in (200, 202)
                handle._look_for_cancel()
            told(done, total, text, **given)

        handle.progress = progress
        return training.train(handle)

    return train


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_it_works(api, bank):
    """Cancelled between two trials, then from the beginning to a version whose card and page tell all of them."""
    stored = api.upload("/fraud/backfills", file=history()).json()
    assert run(bank, stored["job"]["id"], backfill.run).state == "succeeded"
    asked = api.post(PATH, {"tune": True}).json()["job"]["id"]
    job = run(bank, asked, cancelled_at(api, asked, "trial 2 of"))
    assert (job.state, job.total) == ("cancelled", training.STEPS + tuning.STEPS)
    assert job.message.startswith("trial 1 of")
    assert api.get(PATH).json()["items"] == []

    job = run(bank, api.post(PATH, {"tune": True}).json()["job"]["id"], training.train)
    assert job.state == "succeeded", job.error
    assert job.done <= job.total == training.STEPS + tuning.STEPS
    version = api.get(f"{PATH}/{job.result['number']}").json()
    told = version["card"]["tuning"]
    assert told == job.result["tuning"]
    assert len(told["trials"]) == TRIALS
    assert told["trials"][0]["settings"] == {name: getattr(SHIPPED, name) for name in tuning.TUNED}
    chosen = told["trials"][told["chosen"] - 1]
    assert api.get(f"{PATH}/active").json()["current"] is None  # two people decide, as of any version
    html = bank.browser(bank.owner).get("/fraud/models/").content.decode()
    assert "Settings that were tried" in html
    assert html.count('data-label="Trial"') == TRIALS
    assert f'data-label="AP" class="num">{chosen["average_precision"]:.4f}<' in html


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"tune": "yes"}, "tune"),
        ({"tune": 1}, "tune"),
        ({"tune": None}, "tune"),
        ({"tuned": True}, "tuned"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_name(api, frauds, given, field):
    refused = api.post(PATH, given)
    assert refused.status_code == 422
    assert list(problems(refused)) == [field]


@pytest.mark.parametrize(
    ("given", "tune"),
    [(b"", False), (None, False), ({}, False), ({"tune": False}, False), ({"tune": True}, True)],
)
def test_what_is_asked_is_the_job_s_and_the_audit_s(api, bank, frauds, given, tune):
    asked = api.post(PATH, given)
    assert asked.status_code == 202
    with tenant(bank.organisation):
        assert Job.objects.get(pk=asked.json()["job"]["id"]).params == {"tune": tune}
        assert AuditEntry.objects.get(action="fraud_model.training_asked").data["tune"] is tune


def test_a_tuning_is_asked_for_on_the_page(bank, frauds):
    browser = bank.browser(bank.owner)
    assert 'name="tune"' in browser.get("/fraud/models/").content.decode()
    browser.post("/fraud/models/train", {"tune": "yes"})
    with tenant(bank.organisation):
        assert Job.objects.get(kind="fraud.train_model").params == {"tune": True}
        assert not ModelVersion.objects.exists()
