"""Decision records in a real browser: opened beside the answer, overridden with a reason, proven on their page."""

import os
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.test_axe import looked_over

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def answered(committed_world: Any) -> Any:
    """A conversation with one answer and its record."""
    from apps.support import services
    from apps.support.evidence import reply_facts
    from apps.support.models import Turn
    from rootstock.accounts.tenancy import tenant
    from rootstock.audit.decisions import decisions_record
    from rootstock.audit.roots import roots_write

    organisation = committed_world.organisation
    conversation = services.conversation_start(organisation=organisation, subject="A late parcel")
    outcome = services.Outcome(
        "finished", "It leaves today.", "stop", "", "", "f" * 64, 5, 80.0, 30.0, 240.0, b"h" * 32
    )
    with tenant(organisation) as owner:
        turn = Turn.objects.create(
            organisation_id=owner,
            person=conversation.person,
            conversation=conversation,
            number=2,
            role=Turn.Role.ASSISTANT,
            text=outcome.text,
            finish_reason="stop",
            model_fingerprint="f" * 64,
        )
        decisions_record(organisation=owner, records=[reply_facts(turn.pk, outcome)])
    roots_write(organisation=organisation)
    return conversation


def test_an_answer_is_overridden_beside_it(page, answered):
    page.goto(f"/support/{answered.pk}/")
    page.get_by_text("Decision record").click()
    expect(page.get_by_text("Answer written")).to_be_visible()
    page.get_by_role("button", name="Override").click()
    expect(page.get_by_role("alert")).to_contain_text("must say why")
    page.get_by_label("Your reason").fill("The parcel is lost, we send another")
    page.get_by_role("button", name="Override").click()
    expect(page.get_by_text("The parcel is lost, we send another")).to_be_visible()
    assert looked_over(page) == []
    _picture(page, "conversation")
    page.get_by_role("link", name="Proof and details").click()
    expect(page.get_by_text("Sealed and unchanged")).to_be_visible()
    assert looked_over(page) == []


def test_an_entry_and_the_chain(page, committed_world, answered):
    page.goto("/audit/")
    page.locator("td", has_text="Conversation started").first.click()
    page.wait_for_url("**/audit/entries/**")
    expect(page.get_by_role("heading", name="Conversation started")).to_be_visible()
    assert looked_over(page) == []
    page.goto("/audit/chain/")
    page.get_by_role("button", name="Verify now").click()
    expect(page.get_by_text("The chain is intact.")).to_be_visible()
    assert looked_over(page) == []


def _picture(page: Any, name: str) -> None:
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
