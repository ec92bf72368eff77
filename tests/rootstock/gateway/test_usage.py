"""Usage and the budget, over REST and on pages."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.test import Client

from rootstock.accounts.actors import Actor
from rootstock.accounts.services import api_key_create, client_create
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.gateway import usage
from rootstock.gateway.budgets import Used, usage_record
from rootstock.gateway.models import UsageDay

TODAY = datetime.now(UTC).date()


def use(organisation, holder, model="base", prompt=100, completion=20, cached=40, days_ago=0) -> None:
    usage_record(
        organisation=organisation, call=uuid4(), holder=holder, model=model, used=Used(prompt, completion, cached)
    )  # fmt: skip
    if days_ago:
        with tenant(organisation):
            UsageDay.objects.filter(day=TODAY, model=model, holder_id=holder.id).update(
                day=TODAY - timedelta(days=days_ago)
            )


@pytest.fixture
def used(world):
    """A key, a client and a person that used two models on two days; a stranger's use beside it."""
    key, _ = api_key_create(organisation=world.organisation, name="gateway", scopes=["models:use"])
    client, _ = client_create(organisation=world.organisation, name="nightly", scopes=["models:use"])
    use(world.organisation, Actor("key", str(key.pk)), days_ago=1)
    use(world.organisation, Actor("client", str(client.pk)), "tone@a3f5a3f5a3f5")
    use(world.organisation, Actor("person", str(world.owner.pk)), prompt=10, completion=2, cached=0)
    use(world.other, Actor("person", str(world.stranger.pk)), prompt=7777)
    return key


def test_sums_by_day_caller_and_model(world, used) -> None:
    api = world.api("usage:read")
    days = api.get("/usage").json()
    assert [(one["day"], one["prompt_tokens"], one["calls"]) for one in days] == [
        (str(TODAY - timedelta(days=1)), 100, 1),
        (str(TODAY), 110, 2),
    ]
    models = api.get("/usage", by="model").json()
    assert [(one["model"], one["prompt_tokens"], one["completion_tokens"]) for one in models] == [
        ("base", 110, 22),
        ("tone@a3f5a3f5a3f5", 100, 20),
    ]
    callers = api.get("/usage", by="caller", since=str(TODAY - timedelta(days=1)), until=str(TODAY)).json()
    assert {one["holder_kind"] for one in callers} == {"key", "client", "person"}
    assert len(api.get("/usage", by="all").json()) == 3
    assert api.get("/usage", since=str(TODAY)).json()[0]["prompt_tokens"] == 110


@pytest.mark.parametrize(
    "query", [{"since": "2026-03-02", "until": "2026-03-01"}, {"since": "2020-01-01"}, {"by": "hour"}]
)
def test_a_wrong_period_is_refused(world, query) -> None:
    assert world.api("usage:read").get("/usage", **query).status_code == 422


def test_the_budget_is_set_over_rest(world, used) -> None:
    api = world.api("usage:read", "settings:write")
    assert api.get("/usage/budget").json() == {
        "tokens_per_day": None, "tokens_per_month": None, "streams": 32, "tokens_today": 132,
        "tokens_this_month": 252 if TODAY.day > 1 else 132, "streams_now": 0,
    }  # fmt: skip
    assert api.patch("/usage/budget", {"tokens_per_day": 500, "streams": 4}).json()["tokens_per_day"] == 500
    assert api.patch("/usage/budget", {"tokens_per_day": None}).json()["streams"] == 4
    assert api.patch("/usage/budget", {"tokens_per_month": -1}).status_code == 422
    assert api.patch("/usage/budget", {"tokens": 1}).status_code == 422
    with tenant(world.organisation):
        told = [entry.data for entry in AuditEntry.objects.filter(action="budget.changed").order_by("id")]
    assert told == [{"tokens_per_day": 500, "streams": 4}, {"tokens_per_day": None}]


def test_the_page_names_callers_and_models(world, used) -> None:
    page = world.browser(world.owner).get("/usage/").content.decode()
    assert "API key gateway" in page
    assert "Client nightly" in page
    assert "tone@a3f5a3f5a3f5" in page
    assert "7,777" not in page
    assert "Change the budget" in page
    assert "Change the budget" not in world.browser(world.colleague).get("/usage/").content.decode()


def test_a_page_of_nothing_says_what_to_do(world) -> None:
    assert "Nothing used in this time" in world.browser(world.owner).get("/usage/?days=7").content.decode()


def test_a_spent_budget_is_told(world, used) -> None:
    browser = world.browser(world.owner)
    answer = browser.post("/usage/budget", {"tokens_per_day": "50", "tokens_per_month": "", "streams": ""})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/usage/")
    assert "spent: calls are refused" in browser.get("/usage/").content.decode()
    assert "The token budget is spent" in browser.get("/").content.decode()
    usage.budget_set(organisation=world.organisation, tokens_per_day=150)
    assert "88\u202f% of the token budget is used" in browser.get("/").content.decode()
    usage.budget_set(organisation=world.organisation, tokens_per_day=None)
    assert "token budget" not in browser.get("/").content.decode()


def test_the_form_tells_what_is_wrong(world) -> None:
    answer = world.browser(world.owner).post("/usage/budget", {"tokens_per_day": "1e20", "streams": "5000"})
    text = answer.content.decode()
    assert "Enter a whole number" in text
    browser = world.browser(world.owner)
    assert "Must be between 1 and 64" in browser.post("/usage/budget", {"streams": "5000"}).content.decode()


def test_who_may_see_and_who_may_set(world) -> None:
    assert world.browser(world.colleague).get("/usage/").status_code == 200  # an auditor reads
    assert world.browser(world.colleague).get("/usage/budget").status_code == 403
    assert world.browser(world.person("clinician")).get("/usage/").status_code == 403
    assert Client().get("/usage/").status_code == 302
    assert world.api("usage:read").patch("/usage/budget", {}).status_code == 403
