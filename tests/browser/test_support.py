"""The support desk in a real browser, answered by the real worker on the resident base."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_console import SANITY

pytestmark = [pytest.mark.slow, pytest.mark.browser]
ENDED = re.compile("stop|length")


@pytest.fixture
def desk(site, page):
    """The page of a fresh conversation, while the workers run."""
    page.goto("/support/new")
    page.get_by_label("Subject").fill("A late parcel")
    page.get_by_role("button", name="Start").click()
    return page


def say(page, text: str) -> None:
    """Write as the customer, with the keyboard alone."""
    box = page.get_by_role("textbox", name="What the customer says")
    expect(box).to_be_focused()
    box.fill(text)
    page.keyboard.press("Enter")


def test_an_answer_streams_with_its_emotion_and_the_chart_follows(desk):
    say(desk, "I am furious. My parcel is two weeks late and nobody answers!")
    answer = desk.locator(".bubble[data-from=assistant]").last
    expect(answer).to_have_attribute("data-state", ENDED, timeout=30_000)
    expect(desk.locator(".bubble[data-from=user] .emotion")).to_have_attribute("data-tone", "negative")
    expect(answer.locator(".ai-mark")).to_be_visible()
    said = answer.locator("[data-text]").inner_text().strip()
    assert said
    expect(desk.get_by_role("heading", name="Emotion over turns")).to_be_visible()
    desk.get_by_role("button", name="Table").click()
    expect(desk.locator("[data-chart-table] tbody tr")).to_have_count(1)
    desk.reload()
    expect(desk.locator(".bubble[data-from=assistant] [data-text]").last).to_have_text(said)
    assert desk.evaluate(SANITY) == []
    desk.goto("/support/")
    expect(desk.locator("tr", has_text="A late parcel").first.locator(".emotion")).to_be_visible()
    assert desk.evaluate(SANITY) == []


def test_stop_keeps_what_was_said(desk):
    say(desk, "Please tell me a very long story about a parcel that travels around the world.")
    desk.get_by_role("button", name="Stop").click()
    expect(desk.locator("[data-chat-status]")).to_have_text("Stopped.", timeout=20_000)
    desk.reload()
    expect(desk.get_by_text("stopped", exact=True)).to_be_visible()
    say(desk, "Hello?")
    expect(desk.locator(".bubble[data-from=assistant]").last).to_have_attribute(
        "data-state", ENDED, timeout=30_000
    )
