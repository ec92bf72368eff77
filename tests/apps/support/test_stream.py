"""GET …/stream: resume, disconnect, stop, and what is stored."""

import time

import pytest

from rootstock.ids import uuid7
from rootstock.lanes import wire
from tests.apps.support.helpers import events, parse, text, wait_until


def post(api, conversation, said="Hello"):
    return api.post(f"{conversation}/messages", {"text": said}).json()


def stream(api, posted, last=None):
    headers = {"Last-Event-ID": last} if last else {}
    return api._client.get(posted["stream_url"], headers=headers)


def last_turn(api, conversation):
    return api.get(conversation).json()["turns"][-1]


def test_a_resumed_stream_repeats_and_loses_nothing(api, conversation, engine):
    engine.gate.clear()
    posted = post(api, conversation)
    first = stream(api, posted)
    live = parse(first.streaming_content)
    before = [next(live), next(live)]
    first.close()
    engine.gate.set()
    after = events(stream(api, posted, before[-1].id))
    whole = events(stream(api, posted))
    assert [event.id for event in [*before, *after]] == [event.id for event in whole]
    assert text([*before, *after]) == text(whole) == "You can count on it."


def test_the_message_id_finds_the_stream_too(api, conversation):
    posted = post(api, conversation)
    by_message = events(api.get(f"{conversation}/messages/{posted['message_id']}/stream"))
    assert by_message[-1].data["id"] == posted["answer_id"]


def test_a_finished_stream_is_over_for_a_client_that_has_it_all(api, conversation):
    posted = post(api, conversation)
    heard = events(stream(api, posted))
    again = stream(api, posted, heard[-1].id)
    assert again.status_code == 204  # an EventSource stops reconnecting


def test_an_expired_stream_answers_from_the_database(api, conversation):
    posted = post(api, conversation)
    events(stream(api, posted))
    for key in wire.connect().scan_iter("stream:*"):
        wire.connect().delete(key)
    [done] = events(stream(api, posted))
    assert (done.type, done.data["text"]) == ("done", "You can count on it.")


def test_an_answer_is_stored_once_though_nobody_listens(api, conversation):
    post(api, conversation)
    wait_until(lambda: last_turn(api, conversation)["state"] == "finished")
    turns = api.get(conversation).json()["turns"]
    assert [turn["text"] for turn in turns[1:]] == ["Hello", "You can count on it."]


def test_a_client_that_leaves_has_its_answer_stored_as_cancelled(api, conversation, engine, monkeypatch):
    monkeypatch.setattr(wire, "RECONNECT_GRACE_S", 0.2)
    engine.gate.clear()
    response = stream(api, post(api, conversation))
    live = parse(response.streaming_content)
    assert [next(live).type, next(live).type] == ["emotion", "token"]
    response.close()
    wait_until(lambda: last_turn(api, conversation)["state"] == "cancelled")
    assert last_turn(api, conversation)["text"] == "You"
    time.sleep(0.2)
    assert len(api.get(conversation).json()["turns"]) == 3


def test_stop_keeps_what_was_said(api, conversation, engine):
    engine.gate.clear()
    posted = post(api, conversation)
    stopped = api.post(f"{conversation}/messages/{posted['answer_id']}/cancel")
    assert stopped.status_code == 202
    heard = events(stream(api, posted))
    assert (heard[-1].type, heard[-1].data["state"], heard[-1].data["text"]) == ("done", "cancelled", "You")
    assert last_turn(api, conversation)["finish_reason"] == "cancelled"


def test_closing_stops_the_answer(api, conversation, engine):
    engine.gate.clear()
    post(api, conversation)
    wait_until(lambda: bool(engine.asked))
    api.post(f"{conversation}/close")
    wait_until(lambda: last_turn(api, conversation)["state"] == "cancelled")


@pytest.mark.parametrize("last", ["yesterday", "1-2-3x"])
def test_a_strange_last_event_id_is_refused(api, conversation, last):
    assert stream(api, post(api, conversation), last).status_code == 422


def test_an_unknown_answer_is_not_found(api, conversation):
    assert api.get(f"{conversation}/messages/{uuid7()}/stream").status_code == 404
    assert api.post(f"{conversation}/messages/{uuid7()}/cancel").status_code == 404
