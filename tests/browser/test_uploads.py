"""Files in pieces and adapters from the drop zone to their version, in a real browser."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from rootstock.accounts.tenancy import tenant
from rootstock.files.models import FileUpload
from rootstock.registry import uploads
from rootstock.registry.models import AdapterUpload
from tests.browser.test_axe import looked_over
from tests.browser.test_console import SANITY
from tests.fixtures.adapters import peft_files, zipped

pytestmark = [pytest.mark.slow, pytest.mark.browser]
MB = 2**20
SLOW = {"offline": False, "latency": 5, "downloadThroughput": -1, "uploadThroughput": 8 * MB}
QUICK = SLOW | {"uploadThroughput": -1}


@pytest.fixture
def network(page: Page) -> Callable[[dict[str, Any]], None]:
    """How quick the page's connection is from now on."""
    session = page.context.new_cdp_session(page)
    return lambda conditions: session.send("Network.emulateNetworkConditions", conditions)


def arrived(world: Any) -> int:
    """How much has been noted of the newest upload in pieces."""
    with tenant(world.organisation):
        found = FileUpload.objects.order_by("-pk").first()
        return found.offset if found else 0


@pytest.fixture
def long_file(tmp_path: Path) -> Path:
    path = tmp_path / "payments.csv"
    path.write_bytes(b"name,amount\n" + b"kestrel,3\n" * (3 * MB))
    return path


def choose(page: Page, path: Path) -> Any:
    page.goto("/files/")
    page.get_by_label("What for").select_option("import")
    page.get_by_label("Choose files").set_input_files([path])
    return page.get_by_role("listitem").filter(has_text=path.name)


def test_a_long_file_is_paused_and_goes_on(
    page: Page, network: Any, committed_world: Any, long_file: Path
) -> None:
    network(SLOW)
    row = choose(page, long_file)
    expect(row).to_contain_text(re.compile(r"[1-9][\d.]* MB of 30.0 MB"))
    row.get_by_role("button", name="Pause").press("Enter")
    expect(row.get_by_role("button", name="Go on")).to_be_focused()
    expect(row).to_contain_text("Paused")
    assert page.evaluate(SANITY) == []
    network(QUICK)
    page.keyboard.press("Enter")
    expect(row.get_by_role("link", name="Open")).to_be_visible()
    assert arrived(committed_world) == long_file.stat().st_size


def test_a_lost_connection_loses_nothing(
    page: Page, network: Any, watch: Any, committed_world: Any, long_file: Path
) -> None:
    network(SLOW)
    watch.expected += ["net::ERR_INTERNET_DISCONNECTED"]
    row = choose(page, long_file)
    expect(row).to_contain_text(re.compile(r"[1-9][\d.]* MB of 30.0 MB"))
    network(QUICK | {"offline": True})
    expect(row).to_contain_text("Reconnecting")
    network(QUICK)
    expect(row.get_by_role("link", name="Open")).to_be_visible()
    assert arrived(committed_world) == long_file.stat().st_size


def test_a_page_that_was_left_goes_on_with_the_same_file(
    page: Page, network: Any, committed_world: Any, long_file: Path
) -> None:
    network(SLOW)
    row = choose(page, long_file)
    expect(row).to_contain_text(re.compile(r"(9|1\d)[\d.]* MB of 30.0 MB"))
    choose(page, long_file)
    network(QUICK)
    expect(page.get_by_role("link", name="Open")).to_be_visible()
    with tenant(committed_world.organisation):
        assert FileUpload.objects.count() == 1


def test_a_good_adapter_is_brought_and_a_bad_one_refused(site: Any, page: Page, tmp_path: Path) -> None:
    good, bad = tmp_path / "Support Tone.zip", tmp_path / "odd"
    files = peft_files(tmp_path, seed=11)
    good.write_bytes(zipped(files))
    bad.mkdir()
    for name, content in (files | {"notes.txt": b"a thought"}).items():
        (bad / name).write_bytes(content[: len(content) // 2] if name.endswith("tensors") else content)
    page.goto("/adapters/uploads/")
    page.get_by_role("link", name="Upload an adapter").first.click()
    page.get_by_label("Choose the files").set_input_files([good])
    expect(page.get_by_label("Name")).to_have_value("support-tone")
    page.get_by_role("button", name="Upload and check").press("Enter")
    taken = page.get_by_role("status").filter(has_text="Taken as support-tone@")
    expect(taken).to_be_visible(timeout=60_000)
    expect(page.get_by_role("row").filter(has_text="Effect")).to_contain_text("Passed")
    assert page.evaluate(SANITY) == []
    page.get_by_role("link", name="Upload another").click()
    page.get_by_label("Choose the files").set_input_files([*bad.iterdir()])
    expect(page.get_by_text("Left out, as no part of an adapter: notes.txt")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()  # what belongs to an adapter was taken
    expect(page.get_by_role("list", name="Files of the adapter").get_by_role("listitem")).to_have_count(2)
    page.get_by_label("Name").fill("half")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("adapter_model.safetensors", timeout=60_000)
    expect(page.get_by_role("row").filter(has_text="Effect")).to_contain_text("Not made")
    page.get_by_role("navigation", name="Path").get_by_role("link", name="Uploads").click()
    expect(page.get_by_role("row").filter(has_text="half")).to_contain_text("Refused")
    assert page.evaluate(SANITY) == []


def test_the_upload_page_says_what_is_wrong(page: Page, tmp_path: Path) -> None:
    page.goto("/adapters/upload")
    send = page.get_by_role("button", name="Upload and check")
    send.click()
    expect(page.get_by_role("alert")).to_contain_text("Choose a zip or the files")
    archive = tmp_path / "Tone!.zip"
    archive.write_bytes(b"x")
    page.get_by_label("Choose the files").set_input_files([archive])
    page.get_by_label("Name").fill("Tone!")
    send.click()
    expect(page.get_by_role("alert")).to_contain_text("small letters, digits and hyphens")
    assert looked_over(page) == []


def test_the_pages_of_uploads_are_clean(page: Page, committed_world: Any) -> None:
    passed = {"check": "scan", "passed": True, "text": "1 files passed the scanners"}
    failed = {"check": "files", "passed": False, "text": f"'{'../' * 60}evil.json': expected a path within"}
    with tenant(committed_world.organisation) as owner:
        rows = [
            AdapterUpload.objects.create(organisation_id=owner, name="tone", checks=[passed])
            for _ in range(2)
        ]
        uploads.upload_refuse(rows[1], [passed, failed])
    found = {}
    for path in ("", *(f"{row.pk}/" for row in rows)):
        page.goto(f"/adapters/uploads/{path}")
        found[path] = looked_over(page)
    assert {path: problems for path, problems in found.items() if problems} == {}


def test_a_server_that_is_away_is_told_in_words_and_asked_again(
    page: Page, tmp_path: Path, watch: Any
) -> None:
    watch.expected += ["Failed to load resource"]
    archive = tmp_path / "tone.zip"
    archive.write_bytes(b"PK not really")
    page.goto("/adapters/upload")
    page.get_by_label("Choose the files").set_input_files([archive])
    answers = [lambda route: route.abort(), lambda route: route.fulfill(status=502, body="<html>")]
    page.route("**/from-files", lambda route: answers.pop(0)(route) if answers else route.continue_())
    go = page.get_by_role("button", name="Upload and check")
    for told in (
        "The server could not be reached. What was sent is there",
        r"could not begin the check \(502\)",
    ):
        go.click()
        expect(page.get_by_role("alert")).to_contain_text(re.compile(told))
    go.click()
    expect(page).to_have_url(re.compile(r"/adapters/uploads/[0-9a-f-]{36}/"))


def test_the_field_shows_its_focus_without_moving_anything(page: Page) -> None:
    page.goto("/adapters/upload")
    field, button = page.locator("#id_files"), page.get_by_role("button", name="Upload and check")
    before = button.bounding_box()
    page.get_by_label("Name").focus()
    page.keyboard.press("Tab")
    expect(field).to_be_focused()
    assert button.bounding_box() == before
    assert (field.bounding_box() or {"width": 9})["width"] <= 1
