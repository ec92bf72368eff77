"""How jobs end: exactly once, tried again by the error's word, told in words, with files, and run again."""

import io
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import OperationalError
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from rootstock.accounts.roles import SCOPES
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.errors import Busy, Conflict, InvalidInput, NotFound, TooLarge, Unavailable
from rootstock.jobs import artefacts, claiming, retry, selectors, services
from rootstock.jobs.events import STORED, event_of
from rootstock.jobs.handle import JobHandle
from rootstock.jobs.models import Job, JobArtefact
from rootstock.jobs.ownership import LeaseLost
from rootstock.jobs.pace import Pace
from rootstock.jobs.pages import attempts_of
from tests.fixtures.jobs import run_job

# Two processes share two cores with everything else: time says nothing here.
patient = examples(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture
def job(committed_world, monkeypatch) -> Job:
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    return services.job_create(
        organisation=committed_world.organisation, kind="adapters.train", params={"n": 3}
    )


def reread(job: Job) -> Job:
    return selectors.job_get(organisation=job.organisation_id, job_id=job.pk, scopes=frozenset(SCOPES))


def run(job: Job, function) -> Job:
    run_job(job.organisation_id, job.pk, function)
    return reread(job)


def events(job: Job):
    return selectors.job_events(organisation=job.organisation_id, job_id=job.pk)


# --- exactly once ---------------------------------------------------------------------------------------------


def effect(job: Job) -> None:
    """A write outside the job's row, with nothing of its own against doubling."""
    AuditEntry.objects.create(
        organisation_id=job.organisation_id, actor_kind="system", actor_id="t", action="test.effect"
    )


def effects(job: Job) -> int:
    with tenant(job.organisation_id):
        return AuditEntry.objects.filter(action="test.effect").count()


def steal(job: Job) -> None:
    with tenant(job.organisation_id):
        Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    services.job_claim(organisation=job.organisation_id, job_id=job.pk)


def test_effect_and_success_are_one(job) -> None:
    def function(handle: JobHandle) -> dict:
        with handle.commit() as result:
            effect(job)
            result["made"] = 1
        return result

    ended = run(job, function)
    assert (ended.state, ended.result, effects(job)) == ("succeeded", {"made": 1}, 1)


def test_who_lost_the_lease_has_no_effect(job) -> None:
    def function(handle: JobHandle) -> dict:
        steal(job)
        with handle.commit():
            effect(job)
        return {}

    assert run(job, function).state == "running"
    assert effects(job) == 0


def test_a_failing_commit_leaves_nothing(job) -> None:
    def function(handle: JobHandle) -> dict:
        with handle.commit():
            effect(job)
            raise Unavailable("the other side is away")
        return {}

    assert run(job, function).state == "queued"
    assert effects(job) == 0


def test_a_fenced_step_of_a_lost_job_has_no_effect(job) -> None:
    def function(handle: JobHandle) -> dict:
        with handle.fenced():
            effect(job)
        steal(job)
        with pytest.raises(LeaseLost), handle.fenced():
            effect(job)
        raise LeaseLost

    run(job, function)
    assert effects(job) == 1


# --- tried again ----------------------------------------------------------------------------------------------


def failing(error: Exception):
    def function(handle: JobHandle) -> dict:
        raise error

    return function


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Busy("full"), "queued"),
        (Unavailable("away"), "queued"),
        (OperationalError("the connection is closed"), "queued"),
        (InvalidInput.field("rank", "too large"), "failed"),
        (Conflict("taken"), "failed"),
        (ZeroDivisionError(), "failed"),
    ],
)
def test_the_error_says_whether(job, error, state) -> None:
    assert run(job, failing(error)).state == state


def test_the_history_is_kept_in_words(job) -> None:
    waiting = run(job, failing(Busy("the queue of x is full", retry_after=40)))
    assert waiting.not_before > timezone.now() + timedelta(seconds=35)
    ended = run(job, failing(InvalidInput.field("rank", "is too large")))
    assert ended.state == "failed"
    told = attempts_of(events(job))
    assert [(a.number, a.outcome, a.detail) for a in told] == [
        (2, "failed", "rank: is too large"),
        (1, "failed", "the queue of x is full"),
    ]
    assert told[0].kept == settings.JOB_KINDS[job.kind].kept
    assert "Correct what is named" in retry.advice(ended.error)


def test_it_is_given_up_after_so_many(job) -> None:
    for _ in range(settings.JOB_KINDS[job.kind].max_attempts):
        ended = run(job, failing(Busy("full")))
    assert (ended.state, ended.attempts) == ("failed", 5)


def test_one_that_was_asked_to_stop_is_not_tried_again(job) -> None:
    def function(handle: JobHandle) -> dict:
        services.job_cancel(organisation=job.organisation_id, job_id=job.pk)
        raise Busy("full")

    assert run(job, function).state == "cancelled"


@patient
@given(attempts=st.integers(1, 50), after=st.none() | st.floats(0, 10_000))
def test_the_wait_is_bounded(attempts, after) -> None:
    job = Job(kind="adapters.train", attempts=attempts)
    wait = retry.delay_s(job, Busy("full", retry_after=after))
    if attempts >= 5:
        assert wait is None
    else:
        assert max(after or 0, 1) <= wait <= max(after or 0, retry.LONGEST_S)


# --- events ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type", "data", "told"),
    [
        ("nonsense", {}, "unknown type"),
        ("progress", {"state": "running", "done": 1}, "unknown type"),
        ("step", {"step": "1", "steps": 2}, "step: "),
        ("step", {"step": 1, "steps": 2, "name": "Jane"}, "name: "),
        ("step", {"step": 1, "steps": 2, "loss": float("nan")}, "loss: "),
        ("log", {"text": "x" * 401}, "text: "),
        ("done", {"state": "running"}, "state: "),
    ],
)
def test_what_does_not_fit_is_refused(type, data, told) -> None:
    with pytest.raises(ValueError, match=told):
        event_of(type, data)


def test_every_event_has_its_words() -> None:
    assert all(kind.__doc__ and kind.type == name for name, kind in STORED.items())


# --- pace -----------------------------------------------------------------------------------------------------


def test_the_pace_is_of_the_recent_window() -> None:
    pace = Pace(window_s=10)
    assert pace.rate(0) is None
    for second in range(60):
        pace.add(second, second)
    for second in range(60, 90):
        pace.add(second, 60 + (second - 60) * 5)
    assert pace.rate(90) == pytest.approx(5, rel=0.15)
    assert pace.rate(95) < pace.rate(90), "in a pause it sinks"
    assert pace.rate(120) is None, "and is unknown after a long one"
    pace.add(121, 0)
    assert pace.rate(122) is None, "a new attempt starts afresh"


@patient
@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 10**6)), max_size=50))
def test_a_rate_is_never_negative(points) -> None:
    pace, now = Pace(), 0.0
    for gap, done in points:
        now += gap
        pace.add(now, done)
        rate = pace.rate(now)
        assert rate is None or rate > 0


# --- artefacts ------------------------------------------------------------------------------------------------


def making(name: str = "report.csv", content: object = b"a,b\n"):
    def function(handle: JobHandle) -> dict:
        handle.artefact(name, content, "text/csv")
        return {}

    return function


def test_a_file_to_download(job, committed_world) -> None:
    assert run(job, making(content=io.BytesIO(b"a,b\n"))).state == "succeeded"
    api = committed_world.api("jobs:read", "adapters:read")
    (told,) = api.get(f"/jobs/{job.pk}/artefacts").json()
    assert (told["name"], told["size"]) == ("report.csv", 4)
    answer = api._client.get(told["url"])
    assert answer.getvalue() == b"a,b\n"
    assert answer["Content-Disposition"] == 'attachment; filename="report.csv"'
    assert answer["ETag"] == f'"{told["sha256"]}"'
    page = committed_world.browser(committed_world.owner)
    assert b"report.csv" in page.get(f"/jobs/{job.pk}/").content
    assert page.get(f"/jobs/{job.pk}/artefacts/{told['id']}/").getvalue() == b"a,b\n"
    stranger = committed_world.api("jobs:read", organisation=committed_world.other)
    assert stranger.get(f"/jobs/{job.pk}/artefacts").status_code == 404
    assert stranger._client.get(told["url"]).status_code == 404
    assert committed_world.api("fraud:read")._client.get(told["url"]).status_code == 403


def test_a_later_attempts_file_replaces_the_first(job) -> None:
    paths: list[str] = []

    def function(handle: JobHandle) -> dict:
        paths.append(handle.artefact("a.txt", str(handle.attempt).encode(), "text/plain").path)
        if handle.attempt == 1:
            raise Busy("again")
        return {}

    run(job, function)
    run(job, function)
    (kept,) = selectors.job_artefacts(organisation=job.organisation_id, job_id=job.pk)
    assert default_storage.open(kept.path).read() == b"2"
    assert not default_storage.exists(paths[0])


def test_who_lost_the_lease_leaves_no_file(job) -> None:
    def function(handle: JobHandle) -> dict:
        steal(job)
        return making()(handle)

    run(job, function)
    assert selectors.job_artefacts(organisation=job.organisation_id, job_id=job.pk) == []
    folder = settings.VAR_DIR / "files" / "jobs" / str(job.organisation_id) / str(job.pk)
    assert list(folder.iterdir()) == []


def test_too_large_and_badly_named(job, monkeypatch) -> None:
    monkeypatch.setattr(settings, "JOB_ARTEFACT_BYTES", 3)
    assert run(job, making()).error["code"] == TooLarge.code
    with pytest.raises(ValueError, match="not a name"):
        artefacts.artefact_store(job, "../x", b"", "text/plain")


def test_expired_it_is_gone_and_says_so(job, committed_world) -> None:
    run(job, making())
    with tenant(job.organisation_id):
        JobArtefact.objects.update(expires_at=timezone.now() - timedelta(days=1))
    (kept,) = selectors.job_artefacts(organisation=job.organisation_id, job_id=job.pk)
    artefacts.artefacts_expire()
    assert not default_storage.exists(kept.path)
    assert (
        committed_world.api("jobs:read", "adapters:read").get(f"/jobs/{job.pk}/artefacts").json()[0]["url"]
        is None
    )
    with pytest.raises(NotFound, match="expired on"):
        artefacts.artefact_get(organisation=job.organisation_id, job_id=job.pk, artefact_id=kept.pk)


# --- run again ------------------------------------------------------------------------------------------------


def test_run_again(job, committed_world) -> None:
    api = committed_world.api("jobs:read", "adapters:write")
    path = f"/jobs/{job.pk}/run-again"
    assert api.post(path).status_code == 409
    run(job, failing(Conflict("taken")))
    again = api.post(path)
    assert again.status_code == 202
    body = again.json()
    assert (body["state"], body["repeats_id"], body["kind"]) == ("queued", str(job.pk), job.kind)
    assert reread(services.Job(pk=body["id"], organisation_id=job.organisation_id)).params == {"n": 3}
    assert api.post(path).json()["id"] == body["id"], "asked twice"
    with tenant(job.organisation_id):
        assert AuditEntry.objects.filter(action="job.run_again", object_id=str(job.pk)).count() == 1


def test_run_again_needs_the_scope_of_the_kind(job, committed_world) -> None:
    run(job, failing(Conflict("taken")))
    refused = committed_world.api("jobs:read", "jobs:write", "adapters:read").post(
        f"/jobs/{job.pk}/run-again"
    )
    assert refused.status_code == 403
    assert "adapters:write" in refused.json()["detail"]
    auditor = committed_world.browser(committed_world.colleague)
    assert auditor.post(f"/jobs/{job.pk}/run-again/").status_code == 403
    page = committed_world.browser(committed_world.owner)
    assert b"Run again" in page.get(f"/jobs/{job.pk}/").content
    assert b"What to do" in page.get(f"/jobs/{job.pk}/").content
    assert page.post(f"/jobs/{job.pk}/run-again/").status_code == 302


def test_cancel_is_audited_once(job) -> None:
    services.job_claim(organisation=job.organisation_id, job_id=job.pk)
    for _ in range(2):
        services.job_cancel(organisation=job.organisation_id, job_id=job.pk)
    with tenant(job.organisation_id):
        assert AuditEntry.objects.filter(action="job.cancelled", object_id=str(job.pk)).count() == 1
