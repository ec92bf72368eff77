"""The drop zone and the webhook pages in a real browser."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from rootstock.webhooks import delivering
from rootstock.webhooks.sending import Answer
from tests.rootstock.files import hostile as h
from tests.rootstock.privacy.conftest import CUSTOMER, talk

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def flaws(page) -> list[str]:
    """What axe finds."""
    return [found["id"] for found in Axe().run(page).response["violations"]]


def test_files_are_dropped_checked_and_opened(page, tmp_path: Path) -> None:
    sound, evil = tmp_path / "payments.csv", tmp_path / "bundle.zip"
    sound.write_bytes(b"name,amount\nkestrel,3\n")
    evil.write_bytes(h.zip_link())
    page.goto("/files/")
    page.get_by_label("What for").select_option("import")
    page.get_by_label("Choose files").set_input_files([sound, evil])
    uploads = page.get_by_role("list", name="Uploads of this visit")
    expect(uploads).to_contain_text("table: 2 rows of 2 columns")
    expect(uploads).to_contain_text("holds a link or a device")
    expect(page.locator("table")).to_contain_text("payments.csv")
    assert flaws(page) == []
    page.get_by_role("listitem").filter(has_text="bundle.zip").get_by_role("link", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("Refused")
    assert flaws(page) == []


def test_a_file_about_a_person(page, committed_world, tmp_path: Path) -> None:
    talk(committed_world.organisation)
    letter = tmp_path / "Ada.txt"
    letter.write_bytes(b"Dear Ada,\n")
    page.goto("/privacy/find/")
    page.get_by_role("textbox", name="Reference").fill(CUSTOMER)
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="Customer").click()
    page.get_by_role("link", name="Upload a file about the person").click()
    expect(page.get_by_label("About a person")).not_to_be_empty()
    assert flaws(page) == []
    page.get_by_label("Choose files").set_input_files([letter])
    page.get_by_role("listitem").filter(has_text="Ada.txt").get_by_role("link", name="Open").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("personal.txt")
    expect(page.get_by_text("under whose key it is encrypted")).to_be_visible()
    page.get_by_role("link", name="A person").click()
    expect(page.get_by_role("region", name="What is held")).to_contain_text("Files")
    assert flaws(page) == []
    page.goto("/privacy/retention/")
    page.get_by_text("Not in use").click()
    expect(page.get_by_role("heading", name="Patients with everything of them")).to_be_visible()
    assert flaws(page) == []


def test_a_webhook_is_added_and_seen_to_fail(page, committed_world) -> None:
    page.goto("/webhooks/")
    page.get_by_role("link", name="Add an endpoint").click()
    page.get_by_label("Address").fill("https://10.0.0.1/hook")
    page.get_by_label("A job failed").check()
    page.get_by_role("button", name="Add the endpoint").click()
    expect(page.get_by_role("alert")).to_contain_text("not on the public internet")
    page.get_by_label("Address").fill("https://93.184.215.14/hook")
    page.get_by_role("button", name="Add the endpoint").click()
    expect(page.get_by_role("region", name="Secret", exact=True)).to_contain_text("whsec_")
    page.get_by_role("link", name="I have kept it").click()
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("webhook.test")
    delivering.deliver(
        organisation=committed_world.organisation.pk,
        send=lambda delivery: Answer(212.0, 503, "answered 503", "Service Unavailable"),
    )
    expect(page.get_by_role("cell", name="Answered 503")).to_be_visible()
    assert flaws(page) == []
    page.get_by_role("navigation", name="Path").get_by_role("link", name="https://93").click()
    expect(page.get_by_text("Every delivery has failed")).to_be_visible()
    assert flaws(page) == []
