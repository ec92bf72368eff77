"""The pages of jobs: live by one stream, failed in words, schedules; on a phone too."""

import re

import pytest
from playwright.sync_api import expect

from rootstock.errors import Busy, InvalidInput
from rootstock.jobs.handle import JobHandle
from rootstock.jobs.services import job_create
from tests.browser.conftest import DESKTOP, PHONE
from tests.fixtures.jobs import run_job

pytestmark = [pytest.mark.slow, pytest.mark.browser]
PARAMS = {"name": "tone", "dataset": "00000000-0000-7000-8000-000000000000", "settings": {}}


@pytest.fixture
def job(committed_world):
    return job_create(
        organisation=committed_world.organisation, kind="adapters.train", params=PARAMS, total=10
    )


def failing_twice(handle: JobHandle) -> dict:
    handle.progress(4, 10, "loss 1.2", force=True)
    handle.artefact("curve.csv", b"step,loss\n1,2.0\n", "text/csv")
    handle.warn("The data set is small.")
    if handle.attempt == 1:
        raise Busy("the queue of the trainer is full")
    raise InvalidInput.field("rank", "is larger than the base takes")


def test_one_stream_brings_everything(page, job) -> None:
    streams: list[str] = []
    page.on("request", lambda request: streams.append(request.url) if "/stream/" in request.url else None)
    page.goto(f"/jobs/{job.pk}/")
    expect(page.locator("[data-live-note]")).to_have_text(re.compile("Live|Updated"))
    run_job(job.organisation_id, job.pk, failing_twice)
    expect(page.get_by_text("it is tried again by itself")).to_be_visible()
    run_job(job.organisation_id, job.pk, failing_twice)
    expect(page.get_by_role("heading", name="The job failed")).to_be_visible()
    expect(page.get_by_text("Correct what is named")).to_be_visible()
    expect(page.get_by_role("link", name="curve.csv")).to_be_visible()
    expect(page.locator("#job-attempts")).to_be_visible()
    assert len(streams) == 1
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_text("as a repetition of")).to_be_visible()


def test_a_lost_stream_is_said_and_resumed(page, watch, job) -> None:
    watch.expected += ["ERR_FAILED", "Failed to load resource"]
    page.route("**/stream/**", lambda route: route.abort())
    page.goto(f"/jobs/{job.pk}/")
    expect(page.locator("[data-live-note]")).to_have_text("Reconnecting…")
    run_job(job.organisation_id, job.pk, lambda handle: {"found": "it"})
    page.unroute("**/stream/**")
    expect(page.get_by_text("Succeeded").first).to_be_visible()


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_pages_fit(web_url, committed_world, open_context, sign_in, job, viewport) -> None:
    context = open_context(base_url=web_url, viewport=viewport)
    sign_in(context, committed_world.owner)
    page = context.new_page()
    for _ in range(2):
        run_job(job.organisation_id, job.pk, failing_twice)
    page.goto(f"/jobs/schedules/new/?from={job.pk}")
    page.get_by_label("Name").fill("Nightly training")
    page.get_by_label("Runs").select_option("cron")
    page.get_by_label("Cron pattern").fill("0 3 * * 1-5")
    page.get_by_role("button", name="Set up the schedule").click()
    expect(page.get_by_text("At 03:00, Monday through Friday").first).to_be_visible()
    schedule = page.url
    for path in (
        "/jobs/",
        f"/jobs/{job.pk}/",
        "/jobs/schedules/",
        "/jobs/schedules/new/",
        schedule,
        f"{schedule}edit/",
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], path
