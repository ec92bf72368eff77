"""Jobs that the clock starts: once per time, once after a downtime, not while the one before runs."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.audit.offline import file_verify
from rootstock.audit.roots import roots_write
from rootstock.errors import Conflict, InvalidInput
from rootstock.jobs import claiming, schedules, services
from rootstock.jobs.cron import cron_of, next_run, next_runs
from rootstock.jobs.models import Job, JobSchedule
from tests.fixtures.jobs import run_job

PARAMS = {"name": "tone", "dataset": "00000000-0000-7000-8000-000000000000"}


@pytest.fixture
def schedule(committed_world, monkeypatch) -> JobSchedule:
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    made = schedules.schedule_create(
        organisation=committed_world.organisation,
        name="Nightly",
        kind="adapters.train",
        params=PARAMS,
        every_s=3600,
    )
    yield made
    with tenant(made.organisation_id):
        JobSchedule.objects.all().delete()
        Job.objects.all().delete()


def make_due(schedule: JobSchedule, ago: timedelta = timedelta(seconds=1)) -> datetime:
    due = timezone.now() - ago
    with tenant(schedule.organisation_id):
        JobSchedule.objects.filter(pk=schedule.pk).update(next_run_at=due)
    return due


def jobs_of(schedule: JobSchedule) -> list[Job]:
    with tenant(schedule.organisation_id):
        return list(Job.objects.filter(schedule=schedule).order_by("id"))


def reread(schedule: JobSchedule) -> JobSchedule:
    with tenant(schedule.organisation_id):
        return JobSchedule.objects.get(pk=schedule.pk)


def end(job: Job) -> None:
    services.job_cancel(organisation=job.organisation_id, job_id=job.pk)


def test_it_works(schedule) -> None:
    schedules.schedules_run()
    assert jobs_of(schedule) == [], "it is not due yet"
    due = make_due(schedule)
    schedules.schedules_run()
    (job,) = jobs_of(schedule)
    assert (job.kind, job.scheduled_for, job.params["name"]) == ("adapters.train", due, "tone")
    assert reread(schedule).next_run_at > timezone.now()
    schedules.schedules_run()
    assert len(jobs_of(schedule)) == 1


def test_a_downtime_is_made_up_for_once(schedule) -> None:
    make_due(schedule, ago=timedelta(days=3))
    schedules.schedules_run()
    schedules.schedules_run()
    assert len(jobs_of(schedule)) == 1
    assert reread(schedule).next_run_at > timezone.now()


def test_a_run_is_skipped_while_the_one_before_goes_on(schedule) -> None:
    for _ in range(2):
        make_due(schedule)
        schedules.schedules_run()
    assert len(jobs_of(schedule)) == 1
    assert "had not ended" in reread(schedule).note
    end(jobs_of(schedule)[0])
    make_due(schedule)
    schedules.schedules_run()
    assert len(jobs_of(schedule)) == 2
    assert reread(schedule).note == ""


def test_paused_it_starts_nothing(schedule) -> None:
    organisation = schedule.organisation
    schedules.schedule_pause(organisation=organisation, schedule_id=schedule.pk, paused=True)
    schedules.schedules_run()
    assert reread(schedule).paused
    schedules.schedule_pause(organisation=organisation, schedule_id=schedule.pk, paused=False)
    assert reread(schedule).next_run_at > timezone.now()
    with tenant(organisation):
        done = set(AuditEntry.objects.filter(object_id=str(schedule.pk)).values_list("action", flat=True))
    assert done == {"job_schedule.created", "job_schedule.paused", "job_schedule.resumed"}


def test_run_now_and_not_twice(schedule) -> None:
    job = schedules.schedule_run_now(organisation=schedule.organisation, schedule_id=schedule.pk)
    assert jobs_of(schedule) == [job]
    with pytest.raises(Conflict):
        schedules.schedule_run_now(organisation=schedule.organisation, schedule_id=schedule.pk)


def test_run_now_of_a_kind_that_is_gone_says_so(schedule) -> None:
    with tenant(schedule.organisation_id):
        JobSchedule.objects.filter(pk=schedule.pk).update(kind="old.kind")
    with pytest.raises(Conflict, match="no longer exist"):
        schedules.schedule_run_now(organisation=schedule.organisation, schedule_id=schedule.pk)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"cron": "61 * * * *", "every_s": None}, "cron"),
        ({"cron": "0 3 * *", "every_s": None}, "cron"),
        ({"cron": "0 0 30 2 *", "every_s": None}, "cron"),
        ({"cron": "0 3 * * *"}, "cron"),
        ({"every_s": None}, "cron"),
        ({"every_s": 5}, "every_s"),
        ({"cron": "0 3 * * *", "every_s": None, "timezone": "Mars/Base"}, "timezone"),
        ({"kind": "fraud.score_batch"}, "kind"),
        ({"params": {"name": "tone"}}, "params.dataset"),
        ({"params": PARAMS | {"settings": {"rank": 0}}}, "params.settings.rank"),
        ({"name": ""}, "name"),
    ],
)
def test_a_wrong_schedule_names_the_field(committed_world, given, field) -> None:
    wanted = {"name": "x", "kind": "adapters.train", "params": PARAMS, "every_s": 3600} | given
    with pytest.raises(InvalidInput) as caught:
        schedules.schedule_create(organisation=committed_world.organisation, **wanted)
    assert caught.value.errors[0].field == field


def test_over_rest(committed_world, monkeypatch) -> None:
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    api = committed_world.api("jobs:read", "jobs:write", "adapters:write")
    body = {"name": "Weekdays", "kind": "adapters.train", "params": PARAMS, "cron": "30 2 * * mon-fri"}
    made = api.post("/jobs/schedules", body)
    assert made.status_code == 201, made.json()
    path = f"/jobs/schedules/{made.json()['id']}"
    assert api.post("/jobs/schedules", body).status_code == 409
    assert [s["name"] for s in api.get("/jobs/schedules").json()] == ["Weekdays"]
    assert api.post(f"{path}/pause").json()["paused"] is True
    assert api.post(f"{path}/resume").json()["paused"] is False
    assert api.post(f"{path}/run").status_code == 202
    assert api.get("/jobs/schedules").json()[0]["last_state"] == "queued"
    stranger = committed_world.api("jobs:read", "jobs:write", organisation=committed_world.other)
    assert stranger.get(path).status_code == 404
    assert committed_world.api("jobs:read", "jobs:write").post("/jobs/schedules", body).status_code == 403
    assert api._client.delete(f"/api/v1{path}").status_code == 204
    assert api.get(path).status_code == 404


def test_the_pages(schedule, committed_world) -> None:
    owner = committed_world.browser(committed_world.owner)
    job = services.job_create(organisation=schedule.organisation, kind="adapters.train", params=PARAMS)
    assert b"Nightly" in owner.get("/jobs/schedules/").content
    assert owner.get(f"/jobs/schedules/new/?from={job.pk}").status_code == 200
    form = {
        "name": "Mornings", "job": str(job.pk), "times": "cron", "cron": "nonsense", "timezone": "UTC",
        "priority": "2",
    }  # fmt: skip
    refused = owner.post("/jobs/schedules/new/", form)
    assert refused.status_code == 422
    assert b"Needs five fields" in refused.content
    made = owner.post("/jobs/schedules/new/", form | {"cron": "0 7 * * *"})
    assert made.status_code == 302
    page = owner.get(made["Location"]).content
    assert b"At 07:00" in page
    assert owner.post(f"{made['Location']}pause/", {"paused": "1"}).status_code == 302
    assert b"Paused" in owner.get(made["Location"]).content
    assert owner.post(f"{made['Location']}run/").status_code == 302
    assert owner.post(f"{made['Location']}delete/").status_code == 302
    auditor = committed_world.browser(committed_world.colleague)
    assert auditor.get("/jobs/schedules/").status_code == 200
    assert auditor.get("/jobs/schedules/new/").status_code == 403
    stranger = committed_world.browser(committed_world.stranger)
    assert stranger.get(f"/jobs/schedules/{schedule.pk}/").status_code == 404


def test_what_needs_no_parameters_is_offered_by_itself(committed_world, monkeypatch) -> None:
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    owner = committed_world.browser(committed_world.owner)
    form = {
        "name": "Weekly proof",
        "job": "audit.verify",
        "times": "604800",
        "timezone": "UTC",
        "priority": "2",
    }
    made = owner.post("/jobs/schedules/new/", form)
    assert made.status_code == 302
    assert b"Verify the audit trail" in owner.get(made["Location"]).content
    refused = owner.post("/jobs/schedules/new/", form)
    assert refused.status_code == 422
    assert b"A schedule called Weekly proof exists already" in refused.content
    engineer = committed_world.browser(committed_world.person("ml_engineer"))
    assert engineer.post("/jobs/schedules/new/", form | {"name": "Other"}).status_code == 422


def test_the_trail_is_exported_by_the_clock(committed_world, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    organisation = committed_world.organisation
    made = schedules.schedule_create(
        organisation=organisation, name="Weekly file", kind="audit.export", params={"days": 3}, every_s=3600
    )
    roots_write(organisation=organisation)
    make_due(made)
    schedules.schedules_run()
    (job,) = jobs_of(made)
    run_job(organisation.pk, job.pk)
    with tenant(organisation):
        job.refresh_from_db()
        assert job.state == "succeeded", job.error
        artefact = job.artefacts.get()
        exported = AuditEntry.objects.get(action="audit.exported")
    assert exported.data["file"] == artefact.name
    copy = tmp_path / "trail.jsonl"
    copy.write_bytes(default_storage.open(artefact.path).read())
    assert file_verify(copy).ok


def test_changed(schedule) -> None:
    before, organisation = reread(schedule), schedule.organisation
    change = {"organisation": organisation, "schedule_id": schedule.pk}
    changed = schedules.schedule_update(**change, version=1, cron="0 3 * * *", timezone="Europe/Berlin")
    assert (changed.cron, changed.every_s, changed.version) == ("0 3 * * *", None, 2)
    assert changed.next_run_at.astimezone(ZoneInfo("Europe/Berlin")).hour == 3
    assert schedules.schedule_update(**change, every_s=7200).cron == ""
    with pytest.raises(Conflict, match="meanwhile"):
        schedules.schedule_update(**change, version=1, name="Late")
    assert reread(schedule).name == before.name
    with tenant(organisation):
        told = AuditEntry.objects.filter(action="job_schedule.changed").order_by("id").first()
    assert told.data["fields"] == ["cron", "timezone"]


def test_changed_while_paused_it_stays_paused(schedule) -> None:
    schedules.schedule_pause(organisation=schedule.organisation, schedule_id=schedule.pk, paused=True)
    schedules.schedule_update(organisation=schedule.organisation, schedule_id=schedule.pk, every_s=7200)
    assert reread(schedule).paused


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "0 3 * * *", "every_s": 3600}, "cron"),
        ({"timezone": "Mars/Base", "cron": "0 3 * * *"}, "timezone"),
        ({"params": {"name": "tone"}}, "params.dataset"),
        ({"name": " "}, "name"),
    ],
)
def test_a_wrong_change_names_the_field_and_changes_nothing(schedule, given, field) -> None:
    with pytest.raises(InvalidInput) as caught:
        schedules.schedule_update(organisation=schedule.organisation, schedule_id=schedule.pk, **given)
    assert caught.value.errors[0].field == field
    assert reread(schedule).version == 1


def test_changed_over_rest(schedule, committed_world) -> None:
    api = committed_world.api("jobs:read", "jobs:write", "adapters:write")
    path = f"/jobs/schedules/{schedule.pk}"
    assert len(api.get(path).json()["next_runs"]) == 5
    changed = api.patch(path, {"cron": "0 3 * * *", "priority": "normal", "version": 1})
    assert changed.status_code == 200, changed.json()
    body = changed.json()
    assert (body["cron"], body["every_s"], body["priority"], body["version"]) == (
        "0 3 * * *",
        None,
        "normal",
        2,
    )
    assert [time[11:16] for time in body["next_runs"]] == ["03:00"] * 5
    assert api.patch(path, {"name": "Late", "version": 1}).status_code == 409
    assert api.patch(path, {"cron": "x"}).json()["errors"][0]["field"] == "cron"
    assert committed_world.api("jobs:read", "jobs:write").patch(path, {"name": "x"}).status_code == 403
    other = committed_world.api("jobs:write", "adapters:write", organisation=committed_world.other)
    assert other.patch(path, {"name": "x"}).status_code == 404


def test_an_interval_names_each_of_its_times_once(schedule) -> None:
    times = next_runs(reread(schedule))
    assert [b - a for a, b in pairwise(times)] == [timedelta(hours=1)] * 4


def test_changed_on_the_page(schedule, committed_world) -> None:
    owner = committed_world.browser(committed_world.owner)
    path = f"/jobs/schedules/{schedule.pk}/edit/"
    assert b"Nightly" in owner.get(path).content
    form = {
        "name": "Mornings", "times": "cron", "cron": "0 7 * * *", "timezone": "UTC", "priority": "1",
        "params": json.dumps(PARAMS), "version": "1",
    }  # fmt: skip
    wrong = owner.post(path, form | {"params": json.dumps({"name": "tone"})})
    assert wrong.status_code == 422
    assert b"dataset: Field required" in wrong.content
    assert owner.post(path, form).status_code == 302
    page = owner.get(f"/jobs/schedules/{schedule.pk}/").content
    assert b"Mornings" in page
    assert b"At 07:00" in page
    assert b"After that" in page
    stale = owner.post(path, form)
    assert stale.status_code == 422
    assert b"changed meanwhile" in stale.content
    auditor = committed_world.browser(committed_world.colleague)
    assert auditor.get(path).status_code == 403
    stranger = committed_world.browser(committed_world.stranger)
    assert stranger.get(path).status_code == 404


def test_a_clock_change_skips_a_time_that_there_is_not() -> None:
    berlin = cron_of("30 2 * * *", "Europe/Berlin")
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)  # the clocks go forward on the 29th at 02:00
    assert berlin.next_after(before) == datetime(2026, 3, 30, 0, 30, tzinfo=UTC)


def test_an_hour_that_comes_twice_runs_once() -> None:
    berlin = cron_of("30 2 * * *", "Europe/Berlin")
    first = berlin.next_after(datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert berlin.next_after(first) - first == timedelta(hours=25)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    pattern=st.tuples(
        st.sampled_from(["0", "*/7", "5,35", "*"]),
        st.sampled_from(["*", "3", "8-18"]),
        st.sampled_from(["*", "1", "28-31"]),
        st.sampled_from(["*", "2", "*/3"]),
        st.sampled_from(["*", "mon-fri", "0"]),
    ),
    after=st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
)
def test_the_next_time_fits_the_pattern(pattern, after, zone) -> None:
    cron = cron_of(" ".join(pattern), zone)
    found = cron.next_after(after)
    local = found.astimezone(ZoneInfo(zone))
    assert found > after
    assert cron.on(local.date())
    assert local.hour in cron.hours
    assert local.minute in cron.minutes
    assert cron.next_after(found) > found


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(every=st.integers(60, 10**7), late=st.integers(0, 10**8))
def test_an_interval_keeps_its_beat(every, late) -> None:
    anchor = datetime(2026, 1, 1, tzinfo=UTC)
    after = anchor + timedelta(seconds=late)
    found = next_run(cron="", every_s=every, timezone="UTC", after=after, anchor=anchor)
    assert after < found <= after + timedelta(seconds=every)
    assert (found - anchor) % timedelta(seconds=every) == timedelta(0)
