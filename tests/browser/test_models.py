"""Usage, budget and engine pages in a real browser."""

import json
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from models_zoo.zoo.tasks import shipped
from rootstock.accounts.actors import Actor
from rootstock.gateway.budgets import Used, usage_record
from rootstock.lanes import wire
from rootstock.lanes.client import connection
from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.test_axe import violations
from tests.browser.test_console import SANITY
from tests.rootstock.gateway.test_engine_page import ADAPTERS, TOLD

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_the_budget_is_set_with_the_keyboard_and_use_is_read_as_a_table(page, committed_world):
    usage_record(
        organisation=committed_world.organisation,
        call=uuid4(),
        holder=Actor("person", str(committed_world.owner.pk)),
        model="base",
        used=Used(700, 200, 100),
    )
    page.goto("/usage/")
    page.get_by_role("link", name="Change the budget").press("Enter")
    page.get_by_label("Tokens a day").fill("1000")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The budget is changed.")).to_be_visible()
    expect(page.locator(".tile", has_text="Today")).to_contain_text("90\u202f% used")
    chart = page.locator(".chart-card", has_text="By model")
    chart.get_by_role("button", name="Table").press("Enter")
    expect(chart.locator("tbody tr").last).to_contain_text("900")
    page.get_by_label("Shown").select_option("7 days")
    page.get_by_role("button", name="Show").press("Enter")
    expect(page.locator(".chart-card", has_text="By caller").locator("tbody tr")).to_have_count(7)
    assert page.evaluate(SANITY) == []


def tell(running: int) -> None:
    """What a worker would publish."""
    state = {
        "name": "language@here", "groups": ["language"], "lanes": {}, "base": {"name": "smollm2", "bytes": 1},
        "adapters": ADAPTERS, "engine": TOLD | {"running": running}, "memory_bytes": 1, "started_at": 0.0,
        "seen_at": 0.0,
    }  # fmt: skip
    connection().set("worker:language@here", json.dumps(state), ex=wire.ALIVE_S * 10)


@pytest.fixture
def engine(services):
    """A worker that says it has an engine."""
    tell(3)
    yield
    connection().delete("worker:language@here")


def test_the_engine_page_renews_itself(engine, page):
    page.goto("/engine/")
    running = page.locator(".tile", has_text="Running")
    expect(running).to_contain_text("3")
    expect(page.locator(".chart-card canvas")).to_have_count(3)
    table = page.locator(".chart-card", has_text="Requests in a step").get_by_role("button", name="Table")
    table.press("Enter")
    tell(41)
    expect(running).to_contain_text("41", timeout=12_000)
    expect(
        page.locator(".chart-card", has_text="Requests in a step").locator("[data-chart-table]")
    ).to_be_visible()
    assert violations(page) == []
    assert page.evaluate(SANITY) == []


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_the_card_of_a_shipped_adapter_fits(web_url, committed_world, open_context, sign_in, viewport):
    context = open_context(base_url=web_url, viewport=viewport)
    sign_in(context, committed_world.owner)
    page = context.new_page()
    for name in shipped():
        page.goto(f"/adapters/shipped/{name}/")
        expect(page.get_by_role("heading", name="Where it went wrong")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], name
        assert page.evaluate(SANITY) == [], name
