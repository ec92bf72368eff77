"""Which job is next: priority, fair share, limits; and that callers are told when the queue is full."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from rootstock.accounts.tenancy import tenant
from rootstock.catalogue import JobKind
from rootstock.errors import Busy
from rootstock.jobs import claiming, services
from rootstock.jobs.models import Job, Priority

QUEUE = "test-claiming"


@pytest.fixture
def submit(committed_world, monkeypatch):
    """Submits to a queue that nobody else uses; the jobs left over are cancelled."""
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    monkeypatch.setitem(settings.JOB_KINDS, "test.nothing", JobKind("", QUEUE, "Nothing", "jobs:write"))
    made: list[Job] = []

    def make(organisation=None, **given) -> Job:
        owner = organisation or committed_world.organisation
        made.append(services.job_create(organisation=owner, kind="test.nothing", params={}, **given))
        return made[-1]

    yield make
    for job in made:
        with tenant(job.organisation_id):
            Job.objects.filter(pk=job.pk).delete()


def claim() -> Job | None:
    return claiming.claim_next(QUEUE)


def test_it_works(submit) -> None:
    first, second = submit(), submit()
    assert [claim(), claim(), claim()] == [first, second, None]


def test_a_flood_of_bulk_work_does_not_delay_an_urgent_job(submit) -> None:
    for _ in range(20):
        submit(priority=Priority.BULK)
    normal, urgent = submit(), submit(priority=Priority.INTERACTIVE)
    assert [claim(), claim()] == [urgent, normal]


def test_organisations_take_turns(submit, committed_world) -> None:
    mine = [submit() for _ in range(3)]
    theirs = [submit(committed_world.other) for _ in range(3)]
    claimed = []
    for _ in range(6):  # one worker: each job ends before the next begins
        job = claim()
        claimed.append(job)
        services.job_finish(
            organisation=job.organisation_id, job_id=job.pk, fence=job.fence, state="succeeded", result={}
        )
    assert claimed == [mine[0], theirs[0], mine[1], theirs[1], mine[2], theirs[2]]


def test_who_runs_less_goes_first(submit, committed_world) -> None:
    mine = [submit() for _ in range(3)]
    assert [claim(), claim()] == mine[:2]
    theirs = submit(committed_world.other)
    assert claim() == theirs


def test_an_organisation_at_its_limit_is_passed_over(submit, committed_world, monkeypatch) -> None:
    monkeypatch.setattr(settings, "JOBS_RUNNING", 1)
    mine = [submit() for _ in range(2)]
    assert claim() == mine[0]
    assert claim() is None
    theirs = submit(committed_world.other)
    assert claim() == theirs


def test_a_retry_waits_for_its_time(submit) -> None:
    job = submit()
    with tenant(job.organisation_id):
        Job.objects.filter(pk=job.pk).update(not_before=timezone.now() + timedelta(seconds=60))
    assert claim() is None
    with tenant(job.organisation_id):
        Job.objects.filter(pk=job.pk).update(not_before=timezone.now() - timedelta(seconds=1))
    assert claim() == job


def test_a_full_queue_says_what_to_do(submit, committed_world, monkeypatch) -> None:
    monkeypatch.setattr(settings, "JOBS_QUEUED", 2)
    submit(), submit()
    with pytest.raises(Busy, match="let some finish or cancel") as caught:
        submit()
    assert caught.value.retry_after == 30
    submit(committed_world.other)  # another's limit is its own


def test_a_full_queue_is_429_over_rest(submit, committed_world, monkeypatch) -> None:
    monkeypatch.setattr(settings, "JOBS_QUEUED", 1)
    job = submit()
    services.job_cancel(organisation=job.organisation_id, job_id=job.pk)
    submit()
    answer = committed_world.api("jobs:read", "jobs:write").post(f"/jobs/{job.pk}/run-again")
    assert (answer.status_code, answer["Retry-After"], answer.json()["code"]) == (429, "30", "busy")


def test_a_worker_is_woken_after_the_commit(submit, monkeypatch) -> None:
    woken: list[str] = []
    monkeypatch.setattr(services, "wake", woken.append)
    submit()
    assert woken == [QUEUE]
