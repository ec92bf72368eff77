"""`jobs:*` opens no other vertical's jobs: the scope of the kind does."""

import pytest

from rootstock.accounts.roles import ROLE_SCOPES
from rootstock.accounts.tenancy import tenant
from rootstock.jobs import claiming, schedules, services
from rootstock.jobs.models import Job, JobSchedule
from tests.fixtures.jobs import run_job

PARAMS = {"name": "tone", "dataset": "00000000-0000-7000-8000-000000000000"}
READS = ("", "/events", "/stream", "/artefacts", "/artefacts/{artefact}")
WRITES = ("/cancel", "/run-again")


@pytest.fixture
def fraud(committed_world, monkeypatch) -> Job:
    """A job of another vertical than the callers', with a file and a result."""
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    organisation = committed_world.organisation
    made = services.job_create(organisation=organisation, kind="fraud.score_batch", params={"batch": "b-1"})

    def function(handle) -> dict:
        handle.artefact("scores.csv", b"a,b\n", "text/csv")
        return {"declined": 7}

    run_job(organisation.pk, made.pk, function)
    return made


def paths(job: Job, endings: tuple[str, ...]) -> list[str]:
    with tenant(job.organisation_id):
        artefact = job.artefacts.get().pk
    return [f"/jobs/{job.pk}{ending.format(artefact=artefact)}" for ending in endings]


def test_a_key_sees_what_its_scopes_read(fraud, committed_world) -> None:
    for scope in ("fraud:read", "fraud:write"):
        api = committed_world.api("jobs:read", scope)
        assert {api.get(path).status_code for path in paths(fraud, READS)} == {200}, scope
        assert [job["id"] for job in api.get("/jobs").json()["items"]] == [str(fraud.pk)]
        assert api.get("/jobs", kind="fraud.score_batch").json()["items"]


def test_a_key_of_another_vertical_sees_nothing_of_it(fraud, committed_world) -> None:
    api = committed_world.api("jobs:read", "jobs:write", "ehr:read", "ehr:write", "adapters:write")
    for path in paths(fraud, READS):
        refused = api.get(path)
        assert (refused.status_code, "fraud:read" in refused.json()["detail"]) == (403, True), path
    for path in paths(fraud, WRITES):
        assert api.post(path).status_code == 403, path
    assert api.get("/jobs").json()["items"] == []
    assert api.get("/jobs", kind="fraud.score_batch").json()["items"] == []


def test_who_only_reads_the_vertical_stops_and_repeats_nothing(fraud, committed_world) -> None:
    api = committed_world.api("jobs:read", "jobs:write", "fraud:read")
    for path in paths(fraud, WRITES):
        refused = api.post(path)
        assert (refused.status_code, "fraud:write" in refused.json()["detail"]) == (403, True), path


def test_the_other_tenant_is_told_that_there_is_none(fraud, committed_world) -> None:
    other = committed_world.api("jobs:read", "jobs:write", "fraud:write", organisation=committed_world.other)
    assert {other.get(path).status_code for path in paths(fraud, READS)} == {404}
    assert {other.post(path).status_code for path in paths(fraud, WRITES)} == {404}
    assert other.get("/jobs").json()["items"] == []


@pytest.mark.parametrize("role", sorted(ROLE_SCOPES))
def test_the_pages_follow_the_role(fraud, committed_world, role: str) -> None:
    page, scopes = committed_world.browser(committed_world.person(role)), ROLE_SCOPES[role]
    seen = bool({"fraud:read", "fraud:write"} & scopes)
    for path in ("", "live/", "stream/"):
        assert page.get(f"/jobs/{fraud.pk}/{path}").status_code == (200 if seen else 403), path
    [artefact] = paths(fraud, READS[-1:])
    assert page.get(f"{artefact}/").status_code == (200 if seen else 403)
    assert (str(fraud.pk).encode() in page.get("/jobs/").content) is seen
    assert (str(fraud.pk).encode() in page.get("/").content) is seen
    found = page.post("/palette/", {"q": "Score a batch"}).content
    assert (str(fraud.pk).encode() in found) is seen
    if "fraud:write" not in scopes:
        assert page.post(f"/jobs/{fraud.pk}/cancel/").status_code == 403
        assert page.post(f"/jobs/{fraud.pk}/run-again/").status_code == 403


def test_schedules_follow_the_kind_too(committed_world, monkeypatch) -> None:
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    organisation = committed_world.organisation
    made = schedules.schedule_create(
        organisation=organisation, name="Nightly", kind="adapters.train", params=PARAMS, every_s=3600
    )
    path = f"/jobs/schedules/{made.pk}"
    foreign = committed_world.api("jobs:read", "jobs:write", "fraud:write")
    assert foreign.get("/jobs/schedules").json() == []
    assert foreign.get(path).status_code == 403
    reader = committed_world.api("jobs:read", "jobs:write", "adapters:read")
    assert reader.get(path).status_code == 200
    for api in (foreign, reader):
        for ending in ("/pause", "/resume", "/run"):
            assert api.post(f"{path}{ending}").status_code == 403
        assert api.delete(path).status_code == 403
    supervisor = committed_world.browser(committed_world.person("fraud_supervisor"))
    assert supervisor.get(f"/jobs/schedules/{made.pk}/").status_code == 403
    assert supervisor.post(f"/jobs/schedules/{made.pk}/pause/", {"paused": "1"}).status_code == 403
    assert b"Nightly" not in supervisor.get("/jobs/schedules/").content
    with tenant(organisation):
        assert not JobSchedule.objects.get(pk=made.pk).paused
