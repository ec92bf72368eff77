"""Declared tables and the command palette by keyboard and pointer, in a real browser."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from rootstock.accounts.models import Role
from rootstock.accounts.services import api_key_create, member_add, user_create
from rootstock.jobs.services import job_create
from tests.browser.conftest import PHONE
from tests.fixtures.world import PASSWORD

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def waiting(committed_world):
    """A job."""
    return job_create(
        organisation=committed_world.organisation, kind="adapters.train", params={"name": "tone"}
    )


@pytest.fixture
def people(committed_world):
    """Sixty members: two pages."""
    mark = committed_world.organisation.slug
    for number in range(60):
        user = user_create(username=f"member-{number:02}-{mark}", password=PASSWORD)
        role = Role.CLINICIAN if number % 2 else Role.SUPPORT_AGENT
        member_add(organisation=committed_world.organisation, user=user, role=role)


def test_filter_sort_and_page_swap_only_the_table(page, people):
    page.goto("/people/")
    page.evaluate("window.stayed = true")
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Next").click()
    expect(page.locator("tbody tr")).to_have_count(12)
    expect(page).to_have_url(re.compile("after="))
    page.get_by_role("link", name="Previous").click()
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("combobox", name="Role").select_option(label="Clinician")
    chips = page.get_by_role("group", name="Active filters")
    expect(chips).to_contain_text("Role: Clinician")
    expect(page.locator("tbody tr")).to_have_count(30)
    page.get_by_role("columnheader", name="Member since").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="Member since")).to_have_attribute("aria-sort", "ascending")
    expect(page).to_have_url(re.compile("role=clinician"))
    page.get_by_role("searchbox").fill("member-01")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page).to_have_url(re.compile(r"/people/\?.*q=(~|%7E)"))
    assert "member-01" not in page.url
    expect(chips).to_contain_text("member-01")
    chips.get_by_role("link", name="Role").click()
    expect(page.get_by_role("combobox", name="Role")).to_have_value("")
    assert page.evaluate("window.stayed"), "the whole page was loaded"
    page.get_by_role("searchbox").fill("nobody-has-this-name")
    expect(page.get_by_role("heading", name="Nothing fits these filters")).to_be_visible()
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("nobody-has-this-name")


def test_columns_and_views_are_kept(page, people):
    page.goto("/people/?role=clinician")
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("checkbox", name="E-mail").uncheck()
    page.get_by_role("button", name="Show these").click()
    expect(page.get_by_role("columnheader", name="E-mail")).to_have_count(0)
    page.locator("summary", has_text="Views").click()
    page.get_by_label("Save what is shown now as").fill("The ward")
    page.get_by_role("button", name="Save view").click()
    page.goto("/people/")
    page.locator("summary", has_text="Views").click()
    page.get_by_role("link", name="The ward").click()
    expect(page.get_by_role("group", name="Active filters")).to_contain_text("Clinician")
    page.locator("summary", has_text="Views").click()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Save what is shown now as")).to_be_hidden()
    expect(page.locator("summary", has_text="Views")).to_be_focused()
    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV").click()
    assert saved.value.suggested_filename.startswith("people-")


def test_rows_are_walked_chosen_and_opened_by_keyboard(page):
    page.goto("/style/")
    bar = page.locator("[data-bulk]")
    expect(bar).to_be_hidden()
    page.keyboard.press("j")
    expect(page.locator("a.row-link").first).to_be_focused()
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(bar).to_contain_text("2 chosen")
    bar.get_by_role("button", name="Decline").click()
    expect(page.get_by_role("dialog", name="Decline these?")).to_contain_text("The payees get nothing")
    page.keyboard.press("Escape")
    page.get_by_role("checkbox", name="Choose every row on this page").check()
    expect(bar).to_contain_text("4 chosen")
    bar.get_by_role("button", name="Choose none").click()
    expect(bar).to_be_hidden()


@pytest.mark.parametrize(("path", "field"), [("/people/", "Name or address"), ("/jobs/", "State")])
def test_a_slash_leads_to_the_filter(page, waiting, path, field):
    page.goto(path)
    page.keyboard.press("/")
    expect(page.get_by_role("search").get_by_label(field, exact=True)).to_be_focused()


def test_every_column_of_the_keys_can_be_reached(web_url, committed_world, open_context, sign_in):
    context = open_context(base_url=web_url, viewport={"width": 1280, "height": 800})
    sign_in(context, committed_world.owner)
    for name in ("gateway-of-the-hospital", "nightly-import-of-the-bank"):
        api_key_create(
            organisation=committed_world.organisation,
            name=name,
            scopes=["fraud:read", "fraud:write", "ehr:identified", "adapters:write"],
            expires_at=timezone.now() + timedelta(days=90),
        )
    page = context.new_page()
    page.goto("/keys/")
    expect(page.get_by_role("columnheader", name="Made")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    wrap, table = (page.locator(which).first.bounding_box() for which in (".table-wrap", ".table-wrap table"))
    assert table["width"] <= wrap["width"]


def test_density_is_kept(page):
    page.goto("/style/")
    tall = page.locator("tbody tr").first.bounding_box()["height"]
    page.locator("summary", has_text="Columns").first.click()
    page.get_by_role("button", name="Denser rows").click()
    page.reload()
    assert page.locator("tbody tr").first.bounding_box()["height"] < tall


def test_the_palette_by_keyboard_alone(page, committed_world):
    page.goto("/")
    page.keyboard.press("Control+k")
    text = page.locator("#palette").get_by_role("combobox")
    expect(text).to_be_focused()
    expect(page.get_by_role("option", name="Home")).to_have_attribute("aria-selected", "true")
    page.keyboard.type("adap")
    expect(page.get_by_role("option", name="Adapters Models")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Adapters", exact=True)).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type(committed_world.colleague.username)
    expect(page.get_by_role("option", name=committed_world.colleague.username)).to_be_visible()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/people/[0-9a-f-]{36}/"))
    page.keyboard.press("Control+k")
    expect(page.locator("#palette").get_by_role("option").first).to_contain_text("Recent")
    page.keyboard.type("dark theme")
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("Control+k")
    page.keyboard.type("zzzz")
    expect(page.get_by_role("status").filter(has_text="Nothing found")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()


def test_the_menu_stays_narrow(page):
    page.goto("/")
    wide = page.locator("#rail").bounding_box()["width"]
    page.get_by_role("button", name="Narrow menu").click()
    page.goto("/style/")
    assert page.locator("#rail").bounding_box()["width"] < wide / 2
    expect(page.get_by_role("link", name="Adapters")).to_be_visible()


def test_on_a_phone_rows_are_cards_and_menus_fit(web_url, committed_world, open_context, sign_in, people):
    context = open_context(base_url=web_url, viewport=PHONE)
    sign_in(context, committed_world.owner)
    page = context.new_page()
    page.goto("/people/")
    assert page.locator("tbody tr").first.bounding_box()["height"] > 90
    for name in ("Sort", "Views"):
        page.locator("summary", has_text=name).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        box = page.locator("details[open] .dropdown-body").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
        page.keyboard.press("Escape")


@pytest.mark.parametrize("path", ["/jobs/", "/audit/", "/privacy/"])
def test_on_a_phone_filters_and_tabs_are_not_cut(
    web_url, committed_world, open_context, sign_in, waiting, path
):
    context = open_context(base_url=web_url, viewport=PHONE)
    sign_in(context, committed_world.owner)
    page = context.new_page()
    page.goto(path)
    cut = "all => all.filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.className)"
    assert page.locator(".filter-bar, .tabs").evaluate_all(cut) == []


def test_on_a_phone_a_long_label_stays_within_its_cell(web_url, committed_world, open_context, sign_in):
    context = open_context(base_url=web_url, viewport=PHONE)
    sign_in(context, committed_world.owner)
    page = context.new_page()
    page.goto("/style/")
    heights = """(label) => {
      const cell = document.querySelector("td[data-label]");
      const before = cell.offsetHeight;
      cell.dataset.label = label;
      return [before, cell.offsetHeight];
    }"""
    before, after = page.evaluate(heights, "A label that takes three lines of the narrow column")
    assert after > before


def test_a_graph_has_a_list_beside_it(page):
    page.goto("/style/")
    card = page.locator(".graph-card")
    expect(card.locator("canvas").first).to_be_visible()
    card.get_by_role("button", name="List").click()
    expect(card.get_by_role("region")).to_contain_text("this payment")
    expect(card.locator("[data-graph-canvas]")).to_be_hidden()


def test_what_can_be_undone_offers_it(page, watch):
    watch.expected += ["405", "Failed to load resource"]
    page.goto("/style/")
    page.get_by_role("button", name="Withdraw, with undo").click()
    toast = page.locator(".toast")
    expect(toast).to_contain_text("Version 7 was withdrawn")
    toast.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast")).to_contain_text("could not be taken back")


def test_a_day_is_typed_one_way_or_chosen_in_the_calendar(page, waiting) -> None:
    page.goto("/jobs/")
    day = page.get_by_role("textbox", name="Created from", exact=True)
    expect(day).to_have_attribute("placeholder", "YYYY-MM-DD")
    expect(page.get_by_role("button", name="Created from: choose in a calendar")).to_be_visible()
    day.fill("22/11/2026")
    day.press("Enter")
    expect(page.get_by_text("must be a day such as 2026-03-14")).to_be_visible()
    page.locator("[data-date-picker]").first.fill("2026-11-03", force=True)
    expect(day).to_have_value("2026-11-03")
    expect(page.get_by_role("group", name="Active filters")).to_contain_text("from 3 Nov 2026")


def test_times_do_not_follow_the_browsers_language(
    web_url, committed_world, open_context, sign_in, waiting
) -> None:
    context = open_context(base_url=web_url, locale="en-US", timezone_id="America/New_York")
    sign_in(context, committed_world.owner)
    page = context.new_page()
    page.goto("/jobs/")
    shown = page.locator("tbody time").first
    expect(shown).to_have_text(re.compile(r"^\d{1,2} \w{3,4} \d{4}, \d\d:\d\d$"))
    expect(shown).to_have_attribute("title", re.compile(r"(GMT-[45]|EST|EDT) \(\d{4}-\d\d-\d\dT"))
