"""Training an adapter through the running site: that it works is seen in tests/browser/test_adaptation.py."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.conf import settings

from tests.site.test_killed_workers import job_when
from workers.trainer.resuming import KEPT

pytestmark = pytest.mark.slow

LINES = b"".join(
    json.dumps(
        {
            "messages": [
                {"role": "user", "content": f"Question {n}?"},
                {"role": "assistant", "content": "Forty-two."},
            ]
        }
    ).encode()
    + b"\n"
    for n in range(8)
)


@pytest.fixture
def api(demo_client):
    return demo_client("adapters:read", "adapters:write", "jobs:read", "jobs:write")


def upload(api) -> str:
    return api.ask("POST", "/datasets", expect=(201, 200), data={"name": "answers"}, files={"file": LINES})[
        "id"
    ]


def start(api, **settings: Any) -> str:
    body = {"name": "answers", "dataset_id": upload(api), "rank": 4, "batch_size": 4, **settings}
    return api.ask("POST", "/adapters/train", expect=202, json=body)["id"]


def child_of(site, name: str) -> psutil.Process:
    """The training process below the trainer."""
    for process in psutil.Process(site.supervisor.pid(name)).children(recursive=True):
        if "workers.trainer.child" in process.cmdline():
            return process
    raise AssertionError("no training process")


def test_cancel_ends_the_training_process(site, api) -> None:
    job = start(api, epochs=50)
    job_when(api, job, lambda j: j["done"] > 0)
    child = child_of(site, "trainer")
    api.ask("POST", f"/jobs/{job}/cancel")
    job_when(api, job, lambda j: j["state"] == "cancelled")
    assert not child.is_running()


def test_killing_the_trainer_does_not_lose_the_job(site, api) -> None:
    job = start(api, epochs=6)
    checkpoint = Path(settings.ADAPTERS_DIR) / f"{KEPT}{job}" / "state.safetensors"
    job_when(api, job, lambda j: checkpoint.exists())
    child = child_of(site, "trainer")
    os.kill(site.supervisor.pid("trainer"), signal.SIGKILL)
    ended = job_when(api, job, lambda j: j["state"] in ("succeeded", "failed"), timeout_s=120)
    assert (ended["state"], ended["attempts"]) == ("succeeded", 2)
    until = time.monotonic() + 5
    while child.is_running() and time.monotonic() < until:
        time.sleep(0.1)
    assert not child.is_running(), "the first attempt's training process is still there"
    told = [e["data"].get("text", "") for e in api.ask("GET", f"/jobs/{job}/events") if e["type"] == "log"]
    assert any(text.startswith("Goes on behind step") for text in told)


def test_killing_the_worker_does_not_disturb_a_training_on_cpu(site, api) -> None:
    """They map the same file: what goes with the worker is no memory of the training's."""
    job = start(api, epochs=3)
    job_when(api, job, lambda j: j["done"] > 0)
    os.kill(site.supervisor.pid("language"), signal.SIGKILL)
    ended = job_when(api, job, lambda j: j["state"] in ("succeeded", "failed"), timeout_s=120)
    assert (ended["state"], ended["attempts"]) == ("succeeded", 1)


def test_killing_the_training_process_is_told_and_it_is_tried_again(site, api) -> None:
    job = start(api, epochs=50)
    job_when(api, job, lambda j: j["done"] > 0)
    child_of(site, "trainer").kill()
    job_when(api, job, lambda j: j["state"] == "running" and j["attempts"] == 2)
    events = api.ask("GET", f"/jobs/{job}/events")
    (failed,) = [e["data"] for e in events if e["type"] == "attempt_failed"]
    assert failed["code"] == "worker_lost"
    assert "signal 9" in failed["detail"]
    api.ask("POST", f"/jobs/{job}/cancel")
