"""The page of one job, however long the job has run."""

import pytest

from rootstock.accounts.tenancy import tenant
from rootstock.jobs import selectors, services
from rootstock.jobs.models import Job, JobEvent
from rootstock.jobs.pages import CHART_POINTS, loss_chart

STEPS = 6000


def told(job: Job, events: list[tuple[str, dict]]) -> None:
    """Events as a worker wrote them, in one go."""
    first = job.last_event + 1
    with tenant(job.organisation_id):
        JobEvent.objects.bulk_create(
            JobEvent(organisation_id=job.organisation_id, job=job, sequence=at, type=kind, data=data)
            for at, (kind, data) in enumerate(events, first)
        )
        job.last_event += len(events)
        job.save(update_fields=["last_event"])


def step(number: int, loss: float) -> tuple[str, dict]:
    return "step", {"step": number, "steps": STEPS, "loss": loss}


@pytest.fixture
def training(world) -> Job:
    """A first attempt of a few steps, then one of more than any page can load."""
    job = services.job_create(organisation=world.organisation, kind="adapters.train", params={"n": 3})
    told(job, [("started", {"attempt": 1}), *(step(n, 9.0) for n in range(1, 100))])
    told(job, [("attempt_failed", {"attempt": 1, "code": "gone", "detail": "the worker was lost"})])
    told(job, [("started", {"attempt": 2}), *(step(n, STEPS / n) for n in range(1, STEPS + 1))])
    told(job, [("trained", {"step": STEPS, "steps": STEPS}), ("done", {"state": "succeeded"})])
    return job


def test_a_long_training_is_told_to_its_end(world, training) -> None:
    page = world.browser(world.owner).get(f"/jobs/{training.pk}/").content.decode()
    assert "Trained" in page
    assert "the worker was lost" in page
    assert "Training loss" in page


def curve(job: Job) -> list[tuple[int, float]]:
    chart = loss_chart(selectors.job_curve(job=job, points=CHART_POINTS))
    assert chart is not None
    return [(int(label), loss) for label, loss in zip(chart.labels, chart.series[0].values, strict=True)]


def test_the_curve_of_an_attempt_that_began_anew_is_its_own_to_its_newest_step(training) -> None:
    found = curve(training)
    numbers = [number for number, _ in found]
    assert CHART_POINTS * 0.9 <= len(numbers) <= CHART_POINTS
    assert numbers == sorted(set(numbers))
    assert (numbers[0] < 20, numbers[-1]) == (True, STEPS)
    assert found == [(number, round(STEPS / number, 4)) for number in numbers]


def test_the_curve_of_an_attempt_that_went_on_is_the_whole_course(world) -> None:
    job = services.job_create(organisation=world.organisation, kind="adapters.train", params={"n": 3})
    told(job, [("started", {"attempt": 1}), *(step(n, 9.0) for n in range(1, 46))])
    told(job, [("started", {"attempt": 2}), *(step(n, 3.0) for n in range(41, 61))])
    assert curve(job) == [(n, 9.0 if n < 41 else 3.0) for n in range(1, 61)]


def test_the_story_holds_the_newest_and_no_step(training) -> None:
    story = selectors.job_story(organisation=training.organisation_id, job_id=training.pk, most=3)
    assert [event.type for event in story] == ["started", "trained", "done"]
