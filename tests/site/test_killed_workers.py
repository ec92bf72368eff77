"""`kill -9` at the worst moment: nothing is lost, nothing is done twice."""

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.fraud.models import Decision, Transaction
from rootstock.accounts.tenancy import tenant
from rootstock.demo import DemoClient
from rootstock.jobs.models import FINAL_STATES

pytestmark = pytest.mark.slow
PAYMENTS = 3000


def payments(count: int) -> list[dict[str, Any]]:
    start = datetime(2026, 3, 2, 8, tzinfo=UTC)
    return [
        {
            "external_id": f"p-{n}",
            "payer": f"customer-{n % 97}",
            "payee": f"shop-{n % 31}",
            "amount": f"{5 + n % 50}.00",
            "currency": "EUR",
            "channel": "card",
            "occurred_at": (start + timedelta(seconds=20 * n)).isoformat(),
        }
        for n in range(count)
    ]


def job_when(api: DemoClient, job_id: str, reached: Any, timeout_s: float = 90) -> dict[str, Any]:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        job: dict[str, Any] = api.ask("GET", f"/jobs/{job_id}")
        if reached(job):
            return job
        time.sleep(0.05)
    raise AssertionError(f"the job did not get there: {job}")


def kill(site: Any, name: str) -> int:
    pid = site.supervisor.pid(name)
    os.kill(pid, signal.SIGKILL)
    return int(pid)


def test_killing_the_worker_loses_no_payment_and_scores_none_twice(
    site, demo_client, committed_world
) -> None:
    api = demo_client("fraud:read", "fraud:write", "jobs:read")
    sent = api.ask("POST", "/fraud/batches", expect=202, json={"transactions": payments(PAYMENTS)})
    job_id = sent["job"]["id"]
    job_when(api, job_id, lambda job: 0 < job["done"] < PAYMENTS)
    with tenant(committed_world.organisation):
        before = dict(Decision.objects.values_list("transaction_id", "id"))
    killed = kill(site, "score")

    ended = job_when(api, job_id, lambda job: job["state"] in FINAL_STATES)

    assert (ended["state"], ended["attempts"]) == ("succeeded", 2)
    assert site.supervisor.pid("score") != killed
    with tenant(committed_world.organisation):
        assert Transaction.objects.count() == PAYMENTS
        after = dict(Decision.objects.values_list("transaction_id", "id"))
    assert len(after) == PAYMENTS
    assert {key: after[key] for key in before} == before
    assert sum(ended["result"]["outcomes"].values()) == PAYMENTS


def test_a_single_payment_works_again_after_the_kill(site, demo_client) -> None:
    api = demo_client("fraud:read", "fraud:write")
    kill(site, "score")
    until, answer = time.monotonic() + 60, None
    while time.monotonic() < until:
        answer = api.post("/api/v1/fraud/transactions", json=payments(1)[0])
        if answer.status_code == 200:
            break
        assert answer.status_code in (503, 504)
        assert answer.headers["content-type"] == "application/problem+json"
        assert "retry-after" in answer.headers
        time.sleep(0.3)
    assert answer.status_code == 200
    again = api.ask("POST", "/fraud/transactions", json=payments(1)[0])
    assert again == answer.json()
