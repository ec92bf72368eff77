"""Jobs: claimed once, owned by lease and fence, cancelled, given up by the dead and taken up again."""

import threading
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.utils import timezone

from rootstock.accounts.roles import SCOPES
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Busy, Conflict, InvalidInput, NotFound
from rootstock.jobs import claiming, reaping, running, selectors, services
from rootstock.jobs import handle as handle_module
from rootstock.jobs.models import Job, JobState, Priority
from rootstock.jobs.running import JobHandle
from tests.fixtures.jobs import run_job


@pytest.fixture
def job(committed_world, monkeypatch) -> Job:
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    monkeypatch.setattr(handle_module, "HEARTBEAT_S", 0.1)
    return services.job_create(
        organisation=committed_world.organisation, kind="adapters.train", params={"n": 3}
    )


def run(job: Job, function) -> Job:
    run_job(str(job.organisation_id), str(job.pk), function)
    return reread(job)


def reread(job: Job) -> Job:
    return selectors.job_get(organisation=job.organisation_id, job_id=job.pk, scopes=frozenset(SCOPES))


def test_it_works(job) -> None:
    def function(handle: JobHandle) -> dict:
        handle.progress(2, 3, "two of three")
        handle.event("step", {"step": 1, "steps": 3, "loss": 1.5})
        return {"sum": handle.params["n"]}

    ended = run(job, function)
    assert (ended.state, ended.result, ended.done, ended.total) == ("succeeded", {"sum": 3}, 2, 3)
    assert ended.finished_at
    assert ended.lease_until is None
    events = selectors.job_events(organisation=job.organisation_id, job_id=job.pk)
    assert [(e.sequence, e.type) for e in events] == [(1, "started"), (2, "step"), (3, "done")]
    assert events[1].data == {"step": 1, "steps": 3, "epoch": 0.0, "loss": 1.5}


def test_a_second_delivery_does_nothing(job) -> None:
    assert run(job, lambda handle: {"first": True}).result == {"first": True}
    assert run(job, lambda handle: {"second": True}).result == {"first": True}


def test_only_one_of_many_claims_wins(job) -> None:
    won: list[Job | None] = []

    def claim() -> None:
        from django.db import connection

        won.append(services.job_claim(organisation=job.organisation_id, job_id=job.pk))
        connection.close()

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([w for w in won if w]) == 1


def test_an_expired_lease_passes_on_and_the_old_owner_is_fenced_out(job) -> None:
    old = services.job_claim(organisation=job.organisation_id, job_id=job.pk)
    with tenant(job.organisation_id):
        Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert run(job, lambda handle: {"by": "second"}).result == {"by": "second"}
    written = services.job_finish(
        organisation=job.organisation_id, job_id=job.pk, fence=old.fence, state=JobState.FAILED
    )
    assert not written
    assert reread(job).state == "succeeded"


def test_an_owner_that_lost_its_lease_is_told(job) -> None:
    def function(handle: JobHandle) -> dict:
        with tenant(job.organisation_id):
            Job.objects.filter(pk=job.pk).update(fence=99)
        with pytest.raises(running.LeaseLost):
            handle.progress(1, 3, force=True)
        raise running.LeaseLost

    assert run(job, function).state == "running"


def test_the_heartbeat_keeps_the_lease(job) -> None:
    def function(handle: JobHandle) -> dict:
        before = reread(job).lease_until
        time.sleep(0.5)
        return {"renewed": reread(job).lease_until > before}

    assert run(job, function).result == {"renewed": True}


def test_the_reaper_takes_up_what_a_dead_worker_left(job) -> None:
    services.job_claim(organisation=job.organisation_id, job_id=job.pk)
    assert reread(job).state == "running"
    with tenant(job.organisation_id):
        Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    reaping.jobs_reap()
    waiting = reread(job)
    assert (waiting.state, waiting.attempts) == ("queued", 1)
    assert run(job, lambda handle: {}).state == "succeeded"


def test_the_reaper_gives_up_after_several_attempts(job) -> None:
    with tenant(job.organisation_id):
        Job.objects.filter(pk=job.pk).update(
            state="running",
            attempts=settings.JOB_KINDS[job.kind].max_attempts,
            lease_until=timezone.now() - timedelta(seconds=1),
        )
    reaping.jobs_reap()
    ended = reread(job)
    assert (ended.state, ended.error["code"]) == ("failed", "worker_lost")


def test_the_reaper_leaves_the_living_alone(job) -> None:
    services.job_claim(organisation=job.organisation_id, job_id=job.pk)
    reaping.jobs_reap()
    assert reread(job).state == "running"


def test_a_queued_job_is_cancelled_at_once(job) -> None:
    services.job_cancel(organisation=job.organisation_id, job_id=job.pk)
    assert run(job, lambda handle: {}).state == "cancelled"
    with pytest.raises(Conflict):
        services.job_cancel(organisation=job.organisation_id, job_id=job.pk)


def test_a_running_job_stops_when_asked(job) -> None:
    def function(handle: JobHandle) -> dict:
        services.job_cancel(organisation=job.organisation_id, job_id=job.pk)
        for step in range(100):
            time.sleep(0.05)
            handle.progress(step, 100)
        return {}

    assert run(job, function).state == "cancelled"


def test_a_refusal_names_its_fields(job) -> None:
    def function(handle: JobHandle) -> dict:
        raise InvalidInput.field("rank", "is too large")

    ended = run(job, function)
    assert ended.state == "failed"
    assert ended.error["errors"] == [{"field": "rank", "reason": "is too large"}]


def test_a_passing_fault_is_tried_again(job) -> None:
    def function(handle: JobHandle) -> dict:
        raise Busy("full")

    assert run(job, function).state == "queued"
    assert run(job, lambda handle: {}).state == "succeeded"


@pytest.mark.parametrize("told", ["should_stop", "should_terminate"])
def test_a_worker_that_ends_leaves_it_to_another(job, monkeypatch, told) -> None:
    """With an exit status of 0 it ends as well."""
    from celery.worker import state

    def function(handle: JobHandle) -> dict:
        handle.progress(1, 100)
        raise AssertionError("it went on")

    with monkeypatch.context() as patch:
        patch.setattr(state, told, 0)
        left = run(job, function)
    assert (left.state, left.error["code"]) == ("queued", "unavailable")
    assert run(job, lambda handle: {}).state == "succeeded"


def test_a_fault_of_ours_does_not_leak_its_message(job) -> None:
    def function(handle: JobHandle) -> dict:
        raise ValueError("Jane Doe, born 1970")

    ended = run(job, function)
    assert ended.state == "failed"
    assert "Jane" not in str(ended.error)


def test_an_unknown_kind_is_a_programming_error(world) -> None:
    with pytest.raises(ValueError, match="unknown job kind"):
        services.job_create(organisation=world.organisation, kind="nope", params={})


def test_another_organisation_does_not_see_it(job, committed_world) -> None:
    with pytest.raises(NotFound):
        selectors.job_get(organisation=committed_world.other, job_id=job.pk, scopes=frozenset(SCOPES))
    with pytest.raises(NotFound):
        services.job_cancel(organisation=committed_world.other, job_id=job.pk)


class TestRest:
    def test_it_works(self, world) -> None:
        jobs = [
            services.job_create(organisation=world.organisation, kind="adapters.train", params={})
            for _ in range(3)
        ]
        api = world.api("jobs:read", "adapters:read")
        first = api.get("/jobs", limit=2).json()
        assert [j["id"] for j in first["items"]] == [str(jobs[2].pk), str(jobs[1].pk)]
        rest = api.get("/jobs", limit=2, cursor=first["next"]).json()
        assert [j["id"] for j in rest["items"]] == [str(jobs[0].pk)]
        assert rest["next"] is None

    def test_filtered_by_priority(self, world) -> None:
        given = {"organisation": world.organisation, "kind": "adapters.train", "params": {}}
        urgent = services.job_create(**given, priority=Priority.INTERACTIVE)
        services.job_create(**given)
        api = world.api("jobs:read", "adapters:read")
        [found] = api.get("/jobs", priority="interactive").json()["items"]
        assert (found["id"], found["priority"]) == (str(urgent.pk), "interactive")
        assert api.get("/jobs", priority="soon").json()["errors"][0]["field"] == "priority"

    def test_cancel_needs_its_scope(self, world) -> None:
        job = services.job_create(organisation=world.organisation, kind="adapters.train", params={})
        refused = world.api("jobs:read").post(f"/jobs/{job.pk}/cancel")
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert (
            world.api("jobs:write", "adapters:write").post(f"/jobs/{job.pk}/cancel").json()["state"]
            == "cancelled"
        )

    @pytest.mark.parametrize(
        ("path", "status", "field"),
        [
            ("/jobs?limit=0", 422, "limit"),
            ("/jobs?limit=x", 422, "limit"),
            ("/jobs?cursor=x", 422, "cursor"),
            ("/jobs?state=x", 422, "state"),
        ],
    )
    def test_bad_queries_name_the_field(self, world, path, status, field) -> None:
        answer = world.api("jobs:read").get(path)
        assert answer.status_code == status
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["errors"][0]["field"] == field

    def test_a_stranger_gets_404(self, world) -> None:
        job = services.job_create(organisation=world.organisation, kind="adapters.train", params={})
        api = world.api("jobs:read", organisation=world.other)
        assert api.get(f"/jobs/{job.pk}").status_code == 404
        assert api.get(f"/jobs/{uuid4()}").status_code == 404


def test_every_kind_has_a_queue_that_some_process_serves() -> None:
    assert {kind.queue for kind in settings.JOB_KINDS.values()} <= {
        "language",
        "score",
        "adaptation",
        "general",
    }


def test_the_reaper_wakes_a_worker_only_where_no_message_waits(job, valkey, monkeypatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, queue, **k: sent.append(queue))
    queue = settings.JOB_KINDS[job.kind].queue
    valkey.delete(queue)
    valkey.rpush(queue, "somebody's")
    try:
        reaping.jobs_reap()
        assert queue not in sent
    finally:
        valkey.delete(queue)
    reaping.jobs_reap()
    assert sent.count(queue) == 1
