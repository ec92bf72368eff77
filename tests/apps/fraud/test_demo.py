"""The bank's part of the demo, and the life of a batch when its worker is killed."""

import os
import signal
import time

import pytest

from apps.fraud import demo
from apps.fraud.models import Decision
from rootstock.accounts.tenancy import tenant
from rootstock.demo import Show
from tests.apps.fraud.conftest import body

SCOPES = ("fraud:read", "fraud:write", "jobs:read")


def test_the_stream_ends_before_now():
    sent = demo.payments("test", time.time())
    assert 3000 < len(sent) < 12_000
    assert sent[-1].body["occurred_at"] < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    assert len({one.body["external_id"] for one in sent}) == len(sent)
    assert sum(one.fraud for one in sent) > 40


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_it_works(demo_client):
    rows = demo.play(demo_client(*SCOPES), Show())
    assert all(row.ok for row in rows)
    assert "AUC" in rows[-1].outcome


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_killing_the_worker_loses_nothing(demo_client, site, committed_world):
    api = demo_client(*SCOPES)
    given = {"transactions": [body(n, payee=f"S{n % 9}") for n in range(1, 3001)]}
    job_id = api.ask("POST", "/fraud/batches", expect=202, json=given)["job"]["id"]
    until = time.monotonic() + 60
    while (job := api.ask("GET", f"/jobs/{job_id}"))["done"] < 250:
        assert job["state"] in ("queued", "running")
        assert time.monotonic() < until
        time.sleep(0.05)
    os.kill(site.supervisor.pid("score"), signal.SIGKILL)
    done = api.follow_job(job_id, lambda job: None, timeout_s=240)
    assert done["attempts"] > 1
    assert done["result"]["payments"] == 3000
    with tenant(committed_world.organisation):
        assert Decision.objects.count() == 3000
