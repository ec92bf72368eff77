"""Ended jobs go after their time; what is open, recent, stored or evidence stays. Nothing walks through the ended."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from rootstock.accounts.roles import SCOPES
from rootstock.accounts.tenancy import every_tenant, tenant
from rootstock.errors import NotFound
from rootstock.ids import uuid7_at
from rootstock.jobs import retention, schedules, selectors
from rootstock.jobs.models import OPEN_STATES, Job, JobArtefact, JobEvent
from rootstock.registry.models import AdapterVersion, BaseModel

LONG_AGO = timezone.now() - timedelta(days=settings.JOB_KEEP_DAYS + 40)


def job(world, number: int = 0, **fields) -> Job:
    """A job of long ago, with an event."""
    given = {"kind": "adapters.train", "state": "succeeded", "finished_at": LONG_AGO} | fields
    with tenant(world.organisation):
        made = Job.objects.create(
            organisation=world.organisation, pk=uuid7_at(LONG_AGO + timedelta(seconds=number)), **given
        )
        JobEvent.objects.create(organisation=world.organisation, job=made, sequence=1, type="step")
    return made


def left(world) -> set:
    with tenant(world.organisation):
        return set(Job.objects.values_list("pk", flat=True))


def test_it_works(world, monkeypatch) -> None:
    monkeypatch.setattr(retention, "PURGED_AT_ONCE", 2)
    over = [job(world, number) for number in range(5)]
    repetition = job(world, 5, state="running", finished_at=None, repeats=over[0])
    assert retention.jobs_purge() == 5
    assert left(world) == {repetition.pk}
    with tenant(world.organisation):
        assert list(JobEvent.objects.values_list("job", flat=True)) == [repetition.pk]
    with pytest.raises(NotFound, match="days after its end"):
        selectors.job_get(organisation=world.organisation, job_id=over[0].pk, scopes=frozenset(SCOPES))


def test_what_is_open_recent_stored_or_evidence_stays(world) -> None:
    kept = [
        job(world, 0, state="queued", finished_at=None),
        job(world, 1, finished_at=timezone.now()),
        job(world, 2, kind="privacy.export"),
        stored := job(world, 3),
        training := job(world, 4),
    ]
    with tenant(world.organisation) as owner:
        JobArtefact.objects.create(
            organisation_id=owner, job=stored, name="a.csv", size=1, path="jobs/a", expires_at=timezone.now()
        )
        base = BaseModel.objects.create(name="tiny", fingerprint="ab" * 32, bytes=1)
        AdapterVersion.objects.create(
            organisation_id=owner, name="desk", digest="cd" * 32, base=base, job=training
        )
    assert retention.jobs_purge() == 0
    assert left(world) == {one.pk for one in kept}


def without_walking() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")


def test_what_is_open_is_counted_in_an_index_of_its_own(world) -> None:
    with every_tenant("reaper"):
        without_walking()
        assert "job_open" in Job.objects.filter(state__in=OPEN_STATES).values("kind", "state").explain()


def test_the_latest_job_of_each_schedule_is_one_look(world) -> None:
    made = [
        schedules.schedule_create(
            organisation=world.organisation, name=name, kind="audit.verify", params={}, every_s=3600
        )
        for name in ("a", "b", "c")
    ]
    jobs = [job(world, number, schedule=made[number % 2]) for number in range(6)]
    found = selectors.schedules(organisation=world.organisation, scopes=frozenset(SCOPES))
    latest = {row.name: row.latest for row in found}
    assert latest == {"a": jobs[4], "b": jobs[5], "c": None}
    with tenant(world.organisation):
        without_walking()
        assert "job_of_schedule" in Job.objects.filter(schedule=made[0]).order_by("-id")[:1].explain()
        unfinished = Job.objects.filter(schedule=made[0], state__in=OPEN_STATES)
        assert "job_open" in unfinished.explain()
