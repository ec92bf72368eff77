"""A page left open while its person switched to another organisation writes nothing there."""

import re

import pytest
from django.test import Client

from rootstock.accounts.models import ApiKey, Role
from rootstock.accounts.services import member_add
from rootstock.accounts.tenancy import tenant

FORM = {"name": "from-a-stale-page", "scopes": ["jobs:read"], "expires_in_days": 30, "rate_per_minute": ""}


@pytest.fixture
def browser(world) -> Client:
    member_add(organisation=world.other, user=world.owner, role=Role.ADMINISTRATOR)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(world.owner)
    return browser


def fields(browser: Client, path: str) -> dict[str, str]:
    page = browser.get(path).content.decode()
    found = dict(
        re.findall(r'<input type="hidden" name="(csrfmiddlewaretoken|rendered_for)" value="([^"]+)"', page)
    )
    assert found.keys() == {"csrfmiddlewaretoken", "rendered_for"}
    return found


def switch(browser: Client, world) -> None:
    form = fields(browser, "/") | {"organisation": str(world.other.pk)}
    assert browser.post("/organisation/", form).status_code == 302


def test_a_form_writes_only_into_its_own_organisation(world, browser, services):
    stale = fields(browser, "/keys/new/")
    switch(browser, world)
    answer = browser.post("/keys/new/", FORM | stale, headers={"accept": "text/html"})
    assert answer.status_code == 409
    assert f"switched to {world.other.name}" in answer.content.decode()
    assert browser.post("/keys/new/", FORM | fields(browser, "/keys/new/")).status_code == 200
    with tenant(world.other):
        assert ApiKey.objects.filter(name=FORM["name"]).count() == 1


def test_a_filter_form_keeps_it_out_of_the_address(world, browser, services):
    form = fields(browser, "/people/") | {"next": "/people/", "role": "auditor"}
    assert browser.post("/tables/people/filter", form)["Location"] == "/people/?role=auditor"


def test_a_stale_page_may_switch_and_sign_out(world, browser, services):
    stale = fields(browser, "/")
    switch(browser, world)
    back = stale | {"organisation": str(world.organisation.pk)}
    assert browser.post("/organisation/", back).status_code == 302
    switch(browser, world)
    assert browser.post("/logout/", stale).status_code == 302


def test_requests_of_scripts_name_it_too(world, browser, services):
    page = browser.get("/").content.decode()
    assert f"""hx-headers='{{"X-Organisation": "{world.organisation.pk}"}}'""" in page
    named = {"X-Organisation": str(world.organisation.pk)}
    assert browser.get("/jobs/", headers=named).status_code == 200
    switch(browser, world)
    live = browser.get("/jobs/", headers=named | {"HX-Request": "true"})
    assert (live.status_code, live["HX-Refresh"]) == (409, "true")
    api = browser.get("/api/v1/jobs", headers=named)
    assert api.json()["code"] == "conflict"
