"""A job as server-sent events: snapshot, events, resume, end; one reader for all."""

import json
import threading
import time
from uuid import uuid4

import pytest
from django.db import connection

from rootstock.jobs import claiming, services
from rootstock.jobs.feed import feed
from rootstock.jobs.handle import JobHandle
from rootstock.jobs.stream import frames
from tests.fixtures.jobs import run_job


@pytest.fixture
def job(committed_world, monkeypatch):
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    return services.job_create(
        organisation=committed_world.organisation, kind="adapters.train", params={}, total=2
    )


def parsed(raw: bytes) -> list[dict]:
    found = []
    for block in raw.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != ":")
        if "event" in fields:
            found.append(fields | {"data": json.loads(fields["data"])})
    return found


def told(job, after: int = 0) -> list[dict]:
    return parsed(b"".join(frames(job.organisation_id, job.pk, after)))


def work(handle: JobHandle) -> dict:
    handle.progress(1, 2, "half", force=True)
    handle.log("half of it")
    return {}


def ran(job) -> None:
    run_job(job.organisation_id, job.pk, work)


def test_it_works(job) -> None:
    later = threading.Timer(0.5, lambda: (ran(job), connection.close()))
    later.start()
    events = told(job)
    later.join()
    assert events[0]["event"] == "progress"
    assert events[0]["data"]["state"] == "queued"
    stored = [(e["id"], e["event"]) for e in events if "id" in e]
    assert stored == [("1", "started"), ("2", "log"), ("3", "done")]
    assert events[-1]["data"]["state"] == "succeeded"


def test_a_reader_that_comes_back_gets_the_rest_once(job) -> None:
    ran(job)
    assert [e["id"] for e in told(job, after=2) if "id" in e] == ["3"]


def test_over_rest(job, committed_world) -> None:
    ran(job)
    api = committed_world.api("jobs:read", "adapters:read")
    answer = api.get(f"/jobs/{job.pk}/stream")
    assert answer["Content-Type"] == "text/event-stream"
    assert answer["Cache-Control"] == "no-store"
    assert [e["event"] for e in parsed(answer.getvalue())] == ["progress", "started", "log", "done"]
    assert api.get(f"/jobs/{job.pk}/stream", after=3).status_code == 204
    assert api.get(f"/jobs/{job.pk}/stream", after="x").status_code == 422
    resumed = api._client.get(f"/api/v1/jobs/{job.pk}/stream", headers={"Last-Event-ID": "2"})
    assert [e["id"] for e in parsed(resumed.getvalue()) if "id" in e] == ["3"]
    events = api.get(f"/jobs/{job.pk}/events", after=1).json()
    assert [(e["id"], e["type"]) for e in events] == [(2, "log"), (3, "done")]


def test_a_stranger_gets_404(job, committed_world) -> None:
    api = committed_world.api("jobs:read", organisation=committed_world.other)
    assert api.get(f"/jobs/{job.pk}/stream").status_code == 404
    assert api.get(f"/jobs/{uuid4()}/stream").status_code == 404
    assert committed_world.browser(committed_world.stranger).get(f"/jobs/{job.pk}/stream/").status_code == 404


def test_many_streams_cost_few_queries(job) -> None:
    """A hundred streams of one job: the reader asks once for all of them."""
    results: list[list[dict]] = []
    threads = [threading.Thread(target=lambda: results.append(told(job))) for _ in range(100)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 10
    while feed.watched < 100 and time.monotonic() < until:
        time.sleep(0.02)
    ran(job)
    for thread in threads:
        thread.join(10)
    assert len(results) == 100
    assert all([e["id"] for e in found if "id" in e] == ["1", "2", "3"] for found in results)


def test_the_page_streams_too(job, committed_world) -> None:
    ran(job)
    page = committed_world.browser(committed_world.owner)
    assert b"event: done" in page.get(f"/jobs/{job.pk}/stream/").getvalue()
