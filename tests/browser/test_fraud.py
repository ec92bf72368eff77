"""The fraud pages in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from apps.fraud.bundles.versions import version_register
from models_zoo.fraud.card import WEIGHTS, facts_of
from models_zoo.fraud.experts import tuning
from models_zoo.fraud.learning import SHIPPED
from tests.apps.fraud.conftest import body, ring, runtime  # noqa: F401  (a fixture)
from tests.browser.conftest import DESKTOP, PHONE, TABLET
from tests.fixtures.jobs import run_job

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.usefixtures("runtime")]


@pytest.fixture
def sent(committed_world):
    """Usual payments and a burst from the same account to strangers."""
    usual = [body(n, payee=f"SHOP-{n % 3}") for n in range(1, 40)]
    burst = [
        body(n, payee=f"MULE-{n}", amount="900.00", channel="instant", device="PHONE-NEW")
        for n in range(60, 80)
    ]
    api = committed_world.api("fraud:write", "fraud:read")
    return api.post("/fraud/transactions", usual + burst).json()["items"]


def test_from_the_list_to_the_reasons(page, sent):
    page.goto("/fraud/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Payments")
    label = {"review": "For review", "decline": "Declined"}[sent[-1]["decision"]["outcome"]]
    page.get_by_role("combobox", name="Decision").select_option(label=label)
    expect(page.get_by_role("group", name="Active filters")).to_contain_text(label)
    expect(page.locator("tbody tr").first).to_contain_text(label)
    page.locator("tbody tr a").first.click()
    expect(page.locator("ol.reasons > li").first).to_be_visible()
    expect(page.locator("ol.reasons > li").first.locator(".reason-values li").first).to_be_visible()
    expect(page.get_by_role("img", name="Accounts around this payment")).to_be_visible()
    expect(page.locator("[data-graph-canvas] canvas").first).to_be_visible()
    page.locator("[data-graph-toggle]").click()
    expect(page.get_by_role("region", name="Accounts around this payment: list")).to_contain_text(
        "this payment"
    )
    expect(page.locator("ul.parts li").first).to_have_text(re.compile("(raises|lowers).*[+−]"))
    expect(page.get_by_role("heading", name="Each part by itself")).to_be_visible()
    expect(page.get_by_role("heading", name="What each feature adds")).to_be_visible()
    expect(page.get_by_role("img", name="What each feature adds").locator("canvas")).to_be_visible()
    expect(page.get_by_role("heading", name="Earlier payments that mattered")).to_be_visible()


def test_paging_and_account_filter(page, sent):
    page.goto("/fraud/")
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Next").click()
    expect(page.locator("tbody tr")).to_have_count(len(sent) - 50)
    page.get_by_role("searchbox", name="Account").fill("SHOP-1")
    expect(page.locator("tbody tr")).to_have_count(13)
    assert "SHOP-1" not in page.url


def test_a_payment_on_a_phone_is_not_endless(page, sent):
    """Five past payments of each account; the others are one step away."""
    page.set_viewport_size(PHONE)
    page.goto(f"/fraud/{sent[-1]['id']}/")
    expect(page.get_by_role("heading", name="Earlier payments that mattered")).to_be_visible()
    past = page.locator("section", has=page.get_by_role("heading", name="Paying account, before"))
    expect(past.locator("tbody tr:visible")).to_have_count(5)
    assert page.evaluate("document.documentElement.scrollHeight") < 8000
    past.get_by_text("Show 15 more").click()
    expect(past.locator("tbody tr:visible")).to_have_count(20)
    past.get_by_role("link", name="All payments of this account").click()
    expect(page.locator("tbody tr").first).to_be_visible()
    assert "GB29" not in page.url


@pytest.mark.parametrize("size", [PHONE, TABLET, DESKTOP], ids=["390", "820", "1440"])
def test_nothing_is_wider_than_the_screen(page, sent, size):
    page.set_viewport_size(size)
    for path in ("/fraud/", f"/fraud/{sent[-1]['id']}/", "/fraud/models/"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.parametrize("path", ["payment", "models"])
def test_titles_of_charts_are_whole_on_a_phone(page, sent, path):
    page.set_viewport_size(PHONE)
    page.goto("/fraud/models/" if path == "models" else f"/fraud/{sent[-1]['id']}/")
    expect(page.locator(".chart-card h2").first).to_be_visible()
    for title in page.locator(".chart-card h2, .graph-card h2").all():
        assert title.evaluate(
            "one => one.scrollWidth <= one.clientWidth && one.scrollHeight <= one.clientHeight + 2"
        )
        assert title.evaluate("one => getComputedStyle(one).textOverflow") != "ellipsis"


@pytest.fixture
def tuned(committed_world):
    """A version as tuning leaves it, without files."""
    settings = {name: getattr(SHIPPED, name) for name in tuning.TUNED}
    trial = {"settings": settings, "rounds": 596, "average_precision": 0.6905}
    card = facts_of(WEIGHTS) | {
        "tuning": {
            "window": "the first 60% of the validation days",
            "frauds": 58,
            "trials": [trial] * len(tuning.AROUND),
            "best": 5,
            "gain": {"gain": 0.0004, "low": -0.0249, "high": 0.0206},
            "chosen": 1,
            "rule": tuning.RULE,
        }
    }
    version_register(
        organisation=committed_world.organisation, card=card, files={}, job_id=None, made_by="person:1"
    )


@pytest.mark.parametrize("size", [PHONE, TABLET, DESKTOP], ids=["390", "820", "1440"])
def test_what_was_tried_stands_on_the_page_of_models(page, tuned, size):
    page.set_viewport_size(size)
    page.goto("/fraud/models/")
    table = page.get_by_role("region", name="Trials: table")
    expect(table.locator("tbody tr")).to_have_count(len(tuning.AROUND))
    expect(table.locator("tbody tr").first).to_contain_text("Chosen")
    expect(page.get_by_role("button", name="Tune and train")).to_be_enabled()
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.fixture
def circled(committed_world):
    """A circle of five accounts, searched for and found."""
    api = committed_world.api("fraud:write", "fraud:read")
    assert api.post("/fraud/transactions", ring(5, "RING")).status_code == 200
    job = api.post("/fraud/cycles/searches", {}).json()["job"]["id"]
    run_job(committed_world.organisation.pk, job)
    return api.get("/fraud/cycles").json()["items"][0]


def test_from_a_cycle_to_a_payment_by_keyboard(page, circled):
    page.goto("/fraud/cycles/")
    expect(page.get_by_text("1 new cycle and 0 known ones")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("RING-ACC-0")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("1,000.00 EUR in 1 round over 5 accounts")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("1,000.00 EUR over 5 payments")
    rows = page.get_by_role("region", name="Payments of the cycle: table").locator("tbody tr")
    expect(rows).to_have_count(5)
    rows.nth(3).get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("to RING-ACC-4")
    page.goto("/fraud/cycles/")
    page.get_by_role("button", name="Search the last 30 days").click()
    expect(page.get_by_text("Payments are being searched.")).to_be_visible()


@pytest.mark.parametrize("size", [PHONE, TABLET, DESKTOP], ids=["390", "820", "1440"])
def test_cycles_fit_the_screen(page, circled, size):
    page.set_viewport_size(size)
    for path in ("", f"rings/{circled['ring_id']}/", f"{circled['id']}/"):
        path = f"/fraud/cycles/{path}"
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
