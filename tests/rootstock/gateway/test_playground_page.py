"""The playground's pages without a browser: what is offered, what is refused, whose streams are read."""

import json
from uuid import uuid4

import pytest
from django.test import Client

from rootstock.accounts.tenancy import tenant
from rootstock.gateway import usage
from rootstock.gateway.budgets import streams_under_way
from rootstock.lanes import wire
from rootstock.lanes.client import connection
from rootstock.lanes.generation import generation_of
from rootstock.privacy import transit
from rootstock.registry.base import base_card, base_registered
from rootstock.registry.models import AdapterVersion

LANE = "gateway.generate"
JSON = {"headers": {"accept": "application/json"}}
ASKED = {
    "model_a": "base", "model_b": "", "system": "", "prompt": "Hello", "max_tokens": "16", "temperature": "0",
    "top_p": "1", "top_k": "0", "min_p": "0", "repetition_penalty": "1.1", "seed": "",
}  # fmt: skip


@pytest.fixture
def adapters(world, base):
    """Two versions of one name, a single one of another, one for another task, and a stranger's."""

    def add(organisation, name, digest, task="chat"):
        with tenant(organisation):
            AdapterVersion.objects.create(
                organisation=organisation, name=name, digest=digest * 64, card={"task": task},
                base=base_registered(base_card()),
            )  # fmt: skip

    add(world.organisation, "tone", "a")
    add(world.organisation, "tone", "b")
    add(world.organisation, "brief", "c")
    add(world.organisation, "intent", "d", task="classify")
    add(world.other, "foreign", "e")


@pytest.fixture
def lane(base, services):
    """The lane as if a worker served it, and its queue."""
    generation = generation_of(LANE)
    queue, alive = wire.queue_key(LANE, generation), wire.alive_key(LANE, generation)
    connection().delete(queue)
    connection().set(alive, 1, ex=60)
    yield queue
    connection().delete(queue, alive)


def ask(world, **changes):
    return world.browser(world.owner).post("/playground/answers", ASKED | changes, **JSON)


def test_it_offers_what_can_hold_a_chat(world, adapters) -> None:
    page = world.browser(world.owner).get("/playground/").content.decode()
    for offered in ('value="base"', 'value="brief"', f'value="tone@{"a" * 12}"', f'value="tone@{"b" * 12}"'):
        assert page.count(offered) == 2, offered
    for missing in ('value="tone"', "intent@", "foreign@"):
        assert missing not in page, missing


def test_the_address_chooses_the_models(world, adapters) -> None:
    page = world.browser(world.owner).get("/playground/?a=brief&b=base").content.decode()
    assert '<option value="brief" selected>' in page
    assert '<option value="base" selected>' in page


def test_both_are_asked_in_the_callers_name(world, adapters, lane) -> None:
    answer = ask(world, model_b="brief", system="Be kind.", seed="7").json()
    assert {side: told["model"] for side, told in answer.items()} == {"a": "base", "b": f"brief@{'c' * 12}"}
    assert streams_under_way(world.organisation) == 2
    assert connection().llen(lane) == 2
    for told in answer.values():
        world.assert_private(told["stream"], "models:use")
        world.assert_private(told["stop"], "models:use", "post")
        assert world.browser(world.owner).post(told["stop"]).status_code == 204
    raw = connection().lrange(lane, 0, -1)
    assert all(b"Be kind." not in item and b"Hello" not in item for item in raw)  # sealed


def test_one_model_alone_is_asked(world, adapters, lane) -> None:
    assert list(ask(world).json()) == ["a"]


def test_what_is_wrong_is_told_by_field(world, adapters, lane) -> None:
    answer = ask(world, prompt=" ", max_tokens="0", temperature="9", model_b=f"foreign@{'e' * 12}")
    assert answer.status_code == 422
    fields = {problem["field"] for problem in answer.json()["errors"]}
    assert fields == {"prompt", "max_tokens", "temperature", "model_b"}
    assert connection().llen(lane) == 0


def test_a_spent_budget_refuses(world, adapters, lane) -> None:
    usage.budget_set(organisation=world.organisation, tokens_per_day=0)
    answer = ask(world)
    assert (answer.status_code, answer.json()["code"]) == (429, "budget_spent")


def test_no_place_for_both_asks_none(world, adapters, lane) -> None:
    usage.budget_set(organisation=world.organisation, streams=2)
    ask(world)
    answer = ask(world, model_b="brief")
    assert (answer.status_code, answer.json()["code"]) == (429, "busy")
    assert connection().llen(lane) == streams_under_way(world.organisation) == 1
    usage.budget_set(organisation=world.organisation, streams=1)
    answer = ask(world, model_b="brief")  # to ask again would not help
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "prompt")


def test_without_a_worker_nothing_is_asked(world, adapters) -> None:
    connection().delete(wire.alive_key(LANE, generation_of(LANE)))
    assert ask(world).status_code == 503
    assert streams_under_way(world.organisation) == 0


def test_an_answer_is_read_as_events(committed_world, lane) -> None:
    stream = ask(committed_world).json()["a"]["stream"]
    name = stream.rsplit("/", 1)[1].replace("-", "")
    key = wire.stream_key(name)
    for kind, data in (("token", {"text": "Hi", "index": 0}), ("done", {"finish": ["stop"]})):
        connection().xadd(key, {"type": kind, "data": json.dumps(transit.conceal(data, f"{name}:event"))})
    read = b"".join(committed_world.browser(committed_world.owner).get(stream).streaming_content).decode()
    assert 'event: token\ndata: {"text": "Hi"' in read
    assert "event: done" in read


def test_a_stream_that_is_not_there(world) -> None:
    assert world.browser(world.owner).get(f"/playground/answers/{uuid4()}").status_code == 404
    assert Client().get("/playground/").status_code == 302
    assert world.browser(world.person("clinician")).get("/playground/").status_code == 403
