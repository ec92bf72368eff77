"""Conversations and the desk: REST without a worker, tenancy, scopes, paging."""

import pytest

from apps.support.models import Conversation, Turn
from rootstock.accounts.tenancy import tenant
from rootstock.ids import uuid7
from tests.apps.support.helpers import patch


@pytest.fixture
def api(world):
    return world.api("support:read", "support:write")


def start(api, **body):
    return api.post("/support/conversations", body).json()


def test_it_works(api):
    started = start(api, subject="Parcel", customer="C-1")
    assert (started["subject"], started["customer"], started["state"]) == ("Parcel", "C-1", "open")
    [greeting] = started["turns"]
    assert greeting["ai"] is True
    assert "AI" in greeting["text"]
    assert api.get(f"/support/conversations/{started['id']}").json() == started


def test_the_list_pages_from_newest_to_oldest(api):
    made = [start(api, subject=f"S{number}")["id"] for number in range(5)]
    seen, cursor = [], None
    while True:
        page = api.get("/support/conversations", limit=2, **({"cursor": cursor} if cursor else {})).json()
        seen += [row["id"] for row in page["items"]]
        if not (cursor := page["next"]):
            break
    assert seen == made[::-1]


def test_the_list_filters(api, world):
    parcel = start(api, subject="Parcel", customer="C-1")
    closed = start(api, subject="Invoice", customer="C-2")
    api.post(f"/support/conversations/{closed['id']}/close")
    with tenant(world.organisation):
        Conversation.objects.filter(pk=parcel["id"]).update(last_group="upset")

    def found(**query):
        return [row["subject"] for row in api.get("/support/conversations", **query).json()["items"]]

    assert found(state="closed") == ["Invoice"]
    assert found(group="upset") == ["Parcel"]
    assert found(search="c-2") == ["Invoice"]
    assert found(search="nothing") == []
    assert api.get("/support/conversations", state="ajar").status_code == 422
    assert api.get("/support/conversations", cursor="x").status_code == 422


def test_another_organisation_sees_nothing(api, world):
    path = f"/support/conversations/{start(api)['id']}"
    stranger = world.api("support:read", "support:write", organisation=world.other)
    assert stranger.get(path).status_code == 404
    assert stranger.post(f"{path}/messages", {"text": "Hello"}).status_code == 404
    assert stranger.post(f"{path}/close").status_code == 404
    assert stranger.get("/support/conversations").json()["items"] == []
    with tenant(world.other):
        assert Turn.objects.count() == 0


def test_rows_are_invisible_without_a_tenant(api):
    start(api)
    assert Conversation.objects.count() == 0
    assert Turn.objects.count() == 0


def test_a_key_without_the_scope_is_refused(world):
    reader = world.api("support:read")
    assert reader.get("/support/conversations").status_code == 200
    assert reader.post("/support/conversations", {}).status_code == 403
    assert world.api("fraud:read").get("/support/conversations").status_code == 403


@pytest.mark.parametrize("body", [{"subject": "a" * 161}, {"customer": 7}, {"topic": "x"}])
def test_a_bad_body_names_the_field(api, body):
    answer = api.post("/support/conversations", body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].split(".")[-1] == next(iter(body))


def test_an_unknown_conversation_is_not_found(api):
    assert api.get(f"/support/conversations/{uuid7()}").status_code == 404
    assert api.get("/support/conversations/x").status_code == 422


def test_the_desk_can_be_changed(api):
    changed = patch(api, {"name": "Larkfield", "answer_tokens": 64}).json()
    assert (changed["name"], changed["answer_tokens"]) == ("Larkfield", 64)
    assert api.get("/support/desk").json() == changed


@pytest.mark.parametrize("field", ["name", "greeting", "system_prompt"])
@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u00a0"])
def test_a_desk_has_no_blank_texts(api, field, text):
    answer = patch(api, {field: text})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].split(".")[0] == field


def test_no_greeting_removes_that_an_ai_answers(api):
    assert patch(api, {"greeting": "Hello, Kim speaking."}).json()["greeting"] == "Hello, Kim speaking."
    text = start(api)["turns"][0]["text"]
    assert text == "You are talking to an AI assistant. Hello, Kim speaking."


def test_a_desk_cannot_take_an_adapter_that_is_not_there(api):
    assert patch(api, {"adapter": "nobody@000000000000"}).status_code == 404
    assert patch(api, {"answer_tokens": 100_000}).status_code == 422
    assert patch(api, {"name": ""}).status_code == 422
