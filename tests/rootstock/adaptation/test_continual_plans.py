"""Plans of continual adaptation, over REST and on their pages."""

import json

import pytest

from rootstock.accounts.services import api_key_create
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.continual.models import ContinualPlan
from rootstock.audit.models import AuditEntry
from tests.fixtures.continual import (
    ALIAS,
    BETTER,
    COLLECTION,
    alias_row,
    lines_of,
    plan_row,
    run_to_the_end,
)
from tests.fixtures.registry import version_row
from tests.fixtures.trainings import dataset_row
from tests.fixtures.world import Api

SCOPES = ("adapters:read", "adapters:write")


@pytest.fixture
def api(world, base):
    """A key of the owner's."""
    return Api(
        api_key_create(organisation=world.organisation, name="k", scopes=SCOPES, created_by=world.owner)[1]
    )


@pytest.fixture
def body(world, base):
    """What asks for a plan, and what it needs."""
    with tenant(world.organisation) as owner:
        version = version_row(owner)
    alias_row(world, version)
    dataset_row(world, COLLECTION, lines_of("new", 4))
    test = dataset_row(world, "late-parcels-test", lines_of("frozen", 2), is_test=True)
    return {
        "alias": ALIAS, "collection": COLLECTION, "test_set_id": str(test.pk), "least_examples": 3,
        "settings": {"epochs": 2, "replay_share": 0.3}, "cron": "0 3 * * 1-5",
    }  # fmt: skip


def test_it_works(world, api, body) -> None:
    made = api.post("/continual", body)
    assert made.status_code == 201, made.json()
    plan = made.json()
    assert (plan["task"], plan["settings"]["replay_share"], plan["minimal_gain"]) == ("chat", 0.3, 0.01)
    assert plan["made_by"] == f"person:{world.owner.pk}"
    path = f"/continual/{plan['id']}"
    assert api.post("/continual", body).status_code == 409
    begun = api.post(f"{path}/run")
    assert (begun.status_code, begun.json()["state"]) == (202, "gathering")
    assert api.delete(path).status_code == 409
    run_to_the_end(world, _run(world), BETTER)
    [run] = api.get(f"{path}/runs").json()["items"]
    assert run == api.get(f"/continual/runs/{run['id']}").json()
    [line] = run["report"]
    assert (run["state"], run["examples"], line["before"], line["holds"]) == ("proposed", 4, 0.512, True)
    assert api.post(f"{path}/pause").json()["next_run_at"] is None
    assert api.post(f"{path}/resume").json()["paused"] is False
    assert [one["last_state"] for one in api.get("/continual").json()["items"]] == ["proposed"]
    assert api.delete(path).status_code == 204
    with tenant(world.organisation):
        told = AuditEntry.objects.filter(action__startswith="continual").order_by("pk")
        actions = [entry.action.partition(".")[2] for entry in told]
    assert actions == ["created", "run", "proposed", "paused", "resumed", "deleted"]


def _run(world):
    from rootstock.adaptation.continual.models import ContinualRun

    with tenant(world.organisation):
        return ContinualRun.objects.get()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"collection": "Bad Name"}, "collection"),
        ({"task": "tagging"}, "task"),
        ({"test_set_id": "training"}, "test_set_id"),
        ({"test_set_id": "0193-0"}, "test_set_id"),
        ({"guard_ids": ["again"]}, "guard_ids"),
        ({"guard_ids": ["labels"]}, "guard_ids"),
        ({"minimal_gain": 0}, "minimal_gain"),
        ({"settings": {"rank": 0}}, "settings.rank"),
        ({"settings": {"patience": 2}}, "settings.patience"),
        ({"settings": {"method": "dpo"}}, "settings.method"),
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": ""}, "cron"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"every_s": 60}, "every_s"),
    ],
)
def test_what_is_wrong_is_named(world, api, body, change, field) -> None:
    text = json.dumps({"text": "Late", "labels": ["anger"]}).encode()
    ids = {
        "training": lambda: dataset_row(world, "other").pk,
        "again": lambda: body["test_set_id"],
        "labels": lambda: dataset_row(world, "labels", text, task="classification", is_test=True).pk,
    }
    [(name, value)] = change.items()
    if name == "guard_ids":
        value = [str(ids[one]()) for one in value]
    elif value in ids if isinstance(value, str) else False:
        value = str(ids[value]())
    answer = api.post("/continual", body | {name: value})
    assert answer.status_code == 422, answer.json()
    assert answer.json()["errors"][0]["field"] == field


def test_an_alias_that_is_not_there(api, body) -> None:
    assert api.post("/continual", body | {"alias": "none:production"}).status_code == 404


def test_a_key_that_nobody_stands_behind_is_refused(world, body) -> None:
    answer = world.api(*SCOPES).post("/continual", body)
    assert answer.status_code == 403
    assert "in the name of a person" in answer.json()["detail"]


def test_whoever_changes_it_answers_for_it(world, base) -> None:
    plan = plan_row(world)
    other = world.person("ml_engineer")
    key = api_key_create(organisation=world.organisation, name="k", scopes=SCOPES, created_by=other)[1]
    path = f"/continual/{plan.pk}"
    changed = Api(key).patch(path, {"minimal_gain": 0.05, "version": 1})
    assert changed.status_code == 200, changed.json()
    told = changed.json()
    assert (told["made_by"], told["version"], told["minimal_gain"]) == (f"person:{other.pk}", 2, 0.05)
    assert told["guard_ids"] == [str(one) for one in plan.said.guards]
    assert Api(key).patch(path, {"minimal_gain": 0.5, "version": 1}).status_code == 409
    assert Api(key).patch(path, {"cron": "nonsense"}).status_code == 422


def test_it_is_private(world, base) -> None:
    plan = plan_row(world)
    browser = world.browser(world.owner)
    run = browser.post(f"/adaptation/continual/{plan.pk}/run")["Location"]
    for path in (f"/adaptation/continual/{plan.pk}/", run):
        world.assert_private(path, "adapters:read")
    for action in ("run", "pause", "delete"):
        world.assert_private(f"/adaptation/continual/{plan.pk}/{action}", "adapters:write", "post")
    world.assert_private(f"/api/v1/continual/{plan.pk}")
    world.assert_private(f"/api/v1/continual/runs/{run.split('/')[-2]}")
    assert world.api("adapters:read").post(f"/continual/{plan.pk}/run").status_code == 403


def test_the_pages(world, body) -> None:
    browser = world.browser(world.owner)
    assert b"No alias learns by the clock yet" in browser.get("/adaptation/continual/").content
    form = {
        "alias": ALIAS, "collection": f"{COLLECTION}/chat", "least_examples": "3", "replay_share": "0.3",
        "test_set_id": body["test_set_id"], "minimal_gain": "0.02", "largest_loss": "0.02", "cron": "nonsense",
        "timezone": "UTC",
    }  # fmt: skip
    page = browser.get("/adaptation/continual/new/")
    shown = page.context["form"]
    form = {
        name: shown[name].value() for name in shown.fields if shown[name].value() not in (None, "", [])
    } | form
    refused = browser.post("/adaptation/continual/new/", form)
    assert refused.status_code == 422
    assert refused.context["form"].errors["cron"] == [
        "Needs five fields: minute, hour, day of month, month, day of week"
    ]
    made = browser.post("/adaptation/continual/new/", form | {"cron": "30 2 * * *"})
    assert made.status_code == 302, made.context["form"].errors
    page = browser.get(made["Location"]).content
    for told in (b"At 02:30", b"late-parcels-test", b"30", b"No runs yet"):
        assert told in page
    edit = browser.get(f"{made['Location']}edit/")
    assert (edit.context["form"]["replay_share"].value(), edit.context["form"]["minimal_gain"].value()) == (
        0.3,
        0.02,
    )
    changed = browser.post(
        f"{made['Location']}edit/", form | {"cron": "30 4 * * *", "packing": "on", "version": "1"}
    )
    assert changed.status_code == 302, changed.context["form"].errors
    with tenant(world.organisation):
        plan = ContinualPlan.objects.get()
    assert (plan.cron, plan.said.settings.packing, plan.version) == ("30 4 * * *", True, 2)


def test_the_run_page_shows_what_was_forgotten(world, base) -> None:
    plan = plan_row(world)
    browser = world.browser(world.owner)
    path = browser.post(f"/adaptation/continual/{plan.pk}/run")["Location"]
    assert browser.get(path).context["report"] == []
    run_to_the_end(world, _run(world), BETTER | {"greetings-test": (0.431, 0.39)})
    page = browser.get(path)
    assert [(line.name, *line.cells) for line in page.context["report"]] == [
        ("late-parcels-test", "0.512", "0.574", "+0.062"),
        ("greetings-test", "0.431", "0.390", "-0.041"),
    ]
    chart = page.context["chart"]
    assert (chart.kind, [list(one.values) for one in chart.series]) == (
        "bar",
        [[0.512, 0.431], [0.574, 0.39]],
    )
    text = page.content.decode()
    for told in ("Not better", "Better", "Lost too much", "at most 0.02 may be lost", "desk-answers"):
        assert told in text
    assert "Not better" in browser.get(f"/adaptation/continual/{plan.pk}/").content.decode()
    part = browser.get(path, headers={"hx-request": "true"}).content.decode()
    assert "<html" not in part
