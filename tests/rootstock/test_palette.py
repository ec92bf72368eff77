"""The command palette, the rail's groups, error pages inside the shell."""

import pytest
from django.test import Client

from rootstock.accounts.models import Role
from rootstock.console.finding import id_bounds
from rootstock.console.navigation import areas, pages
from rootstock.jobs.services import job_create


@pytest.fixture(autouse=True)
def running(services):
    """Pages read the workers' health from Valkey."""


def groups(browser, text: str = "") -> dict[str, list[dict]]:
    answer = browser.post("/palette/", {"q": text})
    assert answer.status_code == 200
    return {group["label"]: group["items"] for group in answer.json()["groups"]}


@pytest.fixture
def job(world):
    return job_create(
        organisation=world.organisation,
        kind="adapters.train",
        params={"dataset": "none"},
        created_by=world.owner,
    )


def test_it_works(world, job):
    browser = world.browser(world.owner)
    found = groups(browser)
    assert {
        "label": "Jobs",
        "url": "/jobs/",
        "hint": "Models",
        "symbol": "list-checks",
        "keys": "g j",
        "press": "",
    } in (found["Pages"])
    assert "Sign out" in [item["label"] for item in found["Actions"]]
    [item] = groups(browser, str(job.pk)[:18])["Jobs"]
    assert item["url"] == f"/jobs/{job.pk}/"
    assert groups(browser, "train an")["Jobs"][0]["url"] == item["url"]


def test_a_text_in_the_address_is_not_looked_for(world):
    answer = world.browser(world.owner).get("/palette/", {"q": world.colleague.username})
    assert "People" not in [group["label"] for group in answer.json()["groups"]]


def test_people_are_found_by_name(world):
    [item] = groups(world.browser(world.owner), world.colleague.username)["People"]
    assert item["hint"] == "Auditor"


def test_the_role_decides_what_is_offered_and_found(world, job):
    from rootstock.accounts.services import member_add, user_create

    agent = user_create(username=f"agent-{world.organisation.slug}", password="correct-horse-battery")
    member_add(organisation=world.organisation, user=agent, role=Role.SUPPORT_AGENT)
    browser = world.browser(agent)
    assert "Fraud" not in [item["label"] for item in groups(browser)["Pages"]]
    assert "People" not in groups(browser, world.colleague.username)


def test_a_stranger_finds_nothing(world, job):
    assert groups(world.browser(world.stranger), str(job.pk)) == {}


@pytest.mark.parametrize(
    "text", ["x", "%", "'", "\\", "ffffffff", "a" * 5000, "☃ snow", "00000000-0000-0000-0000-0000000000000"]
)
def test_odd_texts_find_nothing_and_break_nothing(world, job, text):
    assert groups(world.browser(world.owner), text) == {}


def test_it_needs_a_session(db):
    assert Client().get("/palette/").status_code == 302


@pytest.mark.parametrize(
    ("text", "known"), [("0197f3c2", True), ("0197f3c", False), ("0197F3C2-A1B4", True), ("jobs-job", False)]
)
def test_ids_by_their_beginning(text, known):
    bounds = id_bounds(text)
    assert (bounds is not None) == known
    if bounds:
        assert str(bounds[0]).startswith(text.lower())
        assert bounds[0] < bounds[1]


def test_every_shortcut_leads_to_one_place():
    keys = [area.key for area in areas() if area.key]
    assert len(keys) == len(set(keys))
    assert len({page.url for page in [*areas(), *pages()]}) == len([*areas(), *pages()])


# --- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/nowhere/", "/jobs/00000000-0000-0000-0000-000000000000/"])
def test_what_is_not_there_is_said_inside_the_shell(world, path):
    page = world.browser(world.owner).get(path, headers={"accept": "text/html"})
    assert page.status_code == 404
    assert b'class="rail"' in page.content
    assert b"There is nothing here" in page.content


def test_what_one_may_not_do_is_said_inside_the_shell(world):
    from rootstock.accounts.services import member_add, user_create

    agent = user_create(username=f"agent-{world.organisation.slug}", password="correct-horse-battery")
    member_add(organisation=world.organisation, user=agent, role=Role.SUPPORT_AGENT)
    page = world.browser(agent).get("/adapters/", headers={"accept": "text/html"})
    assert page.status_code == 403
    assert b'class="rail"' in page.content


def test_without_a_session_an_error_has_no_shell(db):
    page = Client().get("/nowhere/", headers={"accept": "text/html"})
    assert b'class="rail"' not in page.content
