"""POST …/messages, and what it refuses."""

import pytest
from django.conf import settings

from apps.support.models import TEXT_LIMIT, Turn
from rootstock.accounts.tenancy import tenant
from rootstock.ids import uuid7
from rootstock.lanes import wire
from rootstock.registry.services import adapter_register
from rootstock.registry.versions import version_retire
from tests.apps.support.helpers import listen, post, text, wait_until
from tests.fixtures.adapters import adapter_in
from workers.engine.protocol import EngineBusy, EngineTimeout


def test_it_works(api, conversation, desk):
    posted = post(api, conversation, "I am furious, it is late!")
    assert posted.status_code == 201
    assert posted.json()["emotion"]["group"] == "upset"
    assert posted.json()["emotion"]["adapter"] == "support-emotion@aaaaaaaaaaaa"
    heard = listen(api, posted)
    assert [heard[0].type, heard[-1].type] == ["emotion", "done"]
    assert text(heard) == "You can count on it."
    greeting, message, answer = api.get(conversation).json()["turns"]
    assert "AI" in greeting["text"]
    assert (message["text"], message["ai"], message["emotion"]["label"]) == (
        "I am furious, it is late!",
        False,
        "anger",
    )
    assert (answer["text"], answer["ai"], answer["state"]) == ("You can count on it.", True, "finished")
    assert answer["model"] == "f" * 64
    assert answer["tokens"] == 5
    assert answer["first_token_ms"] is not None
    assert heard[-1].data["text"] == answer["text"]


def test_without_streaming_the_answer_comes_at_once(api, conversation):
    posted = post(api, conversation, "Thank you", stream=False).json()
    assert posted["answer"]["state"] == "finished"
    assert posted["answer"]["text"] == "You can count on it."


def test_the_list_shows_the_last_reading_and_its_change(api, conversation):
    post(api, conversation, "How does it work?", stream=False)
    post(api, conversation, "I am furious!", stream=False)
    [row] = api.get("/support/conversations").json()["items"]
    assert (row["last_emotion"], row["last_group"], row["turn_count"]) == ("anger", "upset", 5)
    assert row["last_level"] > 0.5
    assert row["level_change"] > 0.3


def test_the_model_is_told_the_tone_and_the_turns_so_far(api, conversation, engine):
    post(api, conversation, "How does it work?", stream=False)
    post(api, conversation, "I am furious!", stream=False)
    messages, adapter = engine.asked[-1]
    assert adapter is None
    assert "anger" in messages[0]["content"]
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user"]
    assert messages[-1]["content"] == "I am furious!"


@pytest.mark.parametrize("said", ["", "   \n ", "\x00"])
def test_an_empty_text_is_refused(api, conversation, said):
    answer = post(api, conversation, said)
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == "text"


def test_a_text_that_is_too_long_is_refused_and_nothing_is_stored(api, conversation):
    answer = post(api, conversation, "a" * (TEXT_LIMIT + 1))
    assert answer.status_code == 422
    assert str(TEXT_LIMIT) in answer.json()["detail"]
    assert len(api.get(conversation).json()["turns"]) == 1


def test_a_text_of_too_many_tokens_is_refused_and_nothing_is_stored(api, conversation):
    answer = post(api, conversation, "a " * 1025)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "text", "reason": "is 1025 tokens long; at most 1024 are accepted"}
    ]
    assert len(api.get(conversation).json()["turns"]) == 1
    assert post(api, conversation, "a " * 1024, stream=False).status_code == 201


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"text": 7}', b'{"text": "a", "temprature": 1}', b"{}"])
def test_a_body_that_does_not_fit_is_a_problem(api, conversation, body):
    answer = api.post(f"{conversation}/messages", body)
    assert answer.status_code in (400, 422)
    assert answer["Content-Type"] == "application/problem+json"


def test_an_unknown_conversation_is_not_found(api):
    assert post(api, f"/support/conversations/{uuid7()}", "Hello").status_code == 404


def test_a_closed_conversation_is_a_conflict(api, conversation):
    assert api.post(f"{conversation}/close").json()["state"] == "closed"
    answer = post(api, conversation, "Hello")
    assert answer.status_code == 409
    assert "closed" in answer.json()["detail"]


def test_a_second_message_waits_for_the_first_answer(api, conversation, engine):
    engine.gate.clear()
    first = post(api, conversation, "Hello")
    second = post(api, conversation, "Hello again")
    assert second.status_code == 409
    engine.gate.set()
    listen(api, first)
    assert post(api, conversation, "Hello again").status_code == 201


def test_an_unknown_adapter_never_falls_back(api, conversation, engine):
    answer = post(api, conversation, "Hello", adapter="nobody@000000000000")
    assert answer.status_code == 404
    assert "adapter" in answer.json()["detail"]
    malformed = post(api, conversation, "Hello", adapter="latest")
    assert malformed.status_code == 422
    assert malformed.json()["errors"][0]["field"] == "adapter"
    assert engine.asked == []
    assert len(api.get(conversation).json()["turns"]) == 1


def test_a_retired_adapter_answers_no_more(desk, base, tmp_path, api, conversation, engine):
    made = adapter_register(organisation=desk.organisation, folder=adapter_in(tmp_path / "a"), job_id=None)
    version_retire(organisation=desk.organisation, reference=made.reference, reason="it was rude")
    answer = post(api, conversation, "Hello", adapter=made.reference)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "adapter", "reason": f"{made.reference} is retired"}]
    assert engine.asked == []


def test_without_a_worker_it_is_503_and_nothing_is_stored(lanes, committed_world):
    api = committed_world.api("support:read", "support:write")
    path = f"/support/conversations/{api.post('/support/conversations', {}).json()['id']}"
    answer = post(api, path, "Hello")
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) >= 1
    assert len(api.get(path).json()["turns"]) == 1


def test_a_full_queue_is_429_and_nothing_is_stored(lanes, committed_world):
    api = committed_world.api("support:read", "support:write")
    path = f"/support/conversations/{api.post('/support/conversations', {}).json()['id']}"
    valkey, lane = wire.connect(), "support.emotion"
    valkey.set(wire.alive_key(lane, "any"), 1, ex=20)
    valkey.rpush(wire.queue_key(lane, "any"), *[b"{}"] * settings.LANES[lane].queue_limit)
    try:
        answer = post(api, path, "Hello")
    finally:
        valkey.delete(wire.queue_key(lane, "any"), wire.alive_key(lane, "any"))
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) >= 1
    assert len(api.get(path).json()["turns"]) == 1


def test_a_refused_answer_takes_the_message_back(api, conversation, desk, monkeypatch):
    """The emotion lane answers, the reply lane is gone: the client gets 503 and may send the same text again."""
    post(api, conversation, "Thank you", stream=False)
    valkey = wire.connect()
    monkeypatch.setitem(settings.LANES, "support.reply", settings.LANES["support.reply"])
    valkey.delete(wire.alive_key("support.reply", "any"))
    answer = post(api, conversation, "I am furious!")
    assert answer.status_code == 503
    assert len(api.get(conversation).json()["turns"]) == 3
    [row] = api.get("/support/conversations").json()["items"]
    assert row["last_emotion"] == "gratitude"
    valkey.set(wire.alive_key("support.reply", "any"), 1, ex=20)
    assert post(api, conversation, "I am furious!", stream=False).status_code == 201


def test_an_engine_that_fails_is_an_error_event_and_a_failed_turn(api, conversation, engine):
    engine.failure = RuntimeError("out of memory")
    heard = listen(api, post(api, conversation, "Hello"))
    assert heard[-1].type == "error"
    assert "out of memory" not in heard[-1].data["detail"]
    wait_until(lambda: api.get(conversation).json()["turns"][-1]["state"] == "failed")
    assert api.get(conversation).json()["turns"][-1]["text"] == "You"
    engine.failure = None
    assert post(api, conversation, "Again").status_code == 201


def test_the_answer_of_a_dead_worker_is_failed_after_its_deadline(api, conversation, desk):
    from datetime import timedelta

    from django.utils import timezone

    from apps.support.services import answers_expire

    post(api, conversation, "Hello", stream=False)
    with tenant(desk.organisation):
        lost = Turn.objects.get(role="assistant", finish_reason="stop")
        lost.state, lost.deadline_at = "pending", timezone.now() - timedelta(seconds=1)
        lost.save()
    assert answers_expire(organisation=desk.organisation) == 1
    assert api.get(conversation).json()["turns"][-1]["finish_reason"] == "lost"
    assert post(api, conversation, "Hello again").status_code == 201


@pytest.mark.parametrize("failure", [EngineBusy("full"), EngineTimeout("late"), RuntimeError("a fault")])
def test_a_message_whose_answer_failed_is_not_stored_again_under_its_key(api, conversation, engine, failure):
    engine.failure = failure
    body = {"text": "Hello", "stream": False}
    first = api.post(f"{conversation}/messages", body, **{"idempotency-key": "k-1"})
    assert first.status_code >= 500
    turns = len(api.get(conversation).json()["turns"])
    engine.failure = None
    second = api.post(f"{conversation}/messages", body, **{"idempotency-key": "k-1"})
    assert (second.status_code, second.json()["code"]) == (409, "outcome_unknown")
    assert len(api.get(conversation).json()["turns"]) == turns


def test_a_message_that_was_refused_may_come_again_under_its_key(api, conversation, engine):
    engine.gate.clear()
    first = post(api, conversation, "Hello")
    body, key = {"text": "Hello again"}, {"idempotency-key": "k-1"}
    assert api.post(f"{conversation}/messages", body, **key).status_code == 409
    engine.gate.set()
    listen(api, first)
    assert api.post(f"{conversation}/messages", body, **key).status_code == 201
