"""From a file on somebody's disk to an answer: an adapter of 10 MB, two people, the real worker."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from models_zoo.llm.adapter_files import TARGETS
from rootstock.accounts.models import Role
from rootstock.demo import DemoClient
from tests.fixtures.adapters import peft_files, zipped

pytestmark = [pytest.mark.slow, pytest.mark.browser]
NAME = "brought:production"


@pytest.fixture
def person(
    web_url: str, open_context: Callable[..., BrowserContext], sign_in: Callable[..., None]
) -> Callable[[Any], Page]:
    """A page of this person."""

    def page(user: Any) -> Page:
        context = open_context(base_url=web_url)
        sign_in(context, user)
        return context.new_page()

    return page


def test_from_upload_to_serving(site: Any, person: Any, committed_world: Any, tmp_path: Path) -> None:
    content = zipped(peft_files(tmp_path, rank=8, targets=TARGETS))
    assert 9.5e6 < len(content) < 10.5e6
    (tmp_path / "mine.zip").write_bytes(content)
    first, second = person(committed_world.owner), person(committed_world.person(Role.ML_ENGINEER))
    first.goto("/adapters/upload")
    first.get_by_label("Name").fill("brought")
    first.get_by_label("Choose the files").set_input_files([tmp_path / "mine.zip"])
    first.get_by_role("button", name="Upload and check").click()
    first.get_by_role("link", name="brought@").first.click(timeout=60_000)
    reference = first.locator("h1").inner_text().strip()
    first.get_by_role("link", name="Propose for an alias").click()
    first.get_by_label("Alias").fill(NAME)
    first.get_by_label("Reason").fill("It was made for us")
    first.get_by_role("button", name="Ask for it").click()
    expect(first.get_by_text("Somebody else has to agree")).to_be_visible()
    second.goto("/deployments/")
    second.get_by_role("button", name="Approve").click()
    dialog = second.locator("#confirm")
    dialog.get_by_label("Say why").fill("I tried it by hand")
    dialog.get_by_role("button", name="Approve").click()
    expect(second.locator("main .banner", has_text=f"Approved: {NAME}")).to_be_visible()
    with DemoClient(site.url, committed_world.key("models:use")) as client:
        body = {"model": NAME, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
        assert client.post("/v1/chat/completions", json=body).json()["model"] == reference
