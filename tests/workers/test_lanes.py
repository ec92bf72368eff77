"""The fast lane, both ends, over a real Valkey."""

import threading
import time
from collections.abc import Iterator

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from rootstock.errors import Busy, DeadlineExceeded, InternalError, InvalidInput, NotFound, Unavailable
from rootstock.ids import uuid7
from rootstock.lanes import client, streams, wire
from tests.fixtures.lanes import COUNT, ECHO, Count, Echo
from workers.lanes import Consumer

ORGANISATION = uuid7()


@pytest.fixture
def lanes(services, monkeypatch) -> None:
    monkeypatch.setitem(settings.LANES, "test.echo", ECHO)
    monkeypatch.setitem(settings.LANES, "test.count", COUNT)
    wire.connect().delete("lane:test.echo:any", "alive:test.echo:any", "alive:test.count:any")


@pytest.fixture
def echo(lanes) -> Iterator[Consumer]:
    consumer = Consumer("test.echo", ECHO, Echo(), "any")
    consumer.start()
    yield consumer
    consumer.stop()


@pytest.fixture
def count(lanes) -> Iterator[Consumer]:
    consumer = Consumer("test.count", COUNT, Count(), "any")
    consumer.start()
    yield consumer
    consumer.stop()


def test_it_answers_in_order(echo) -> None:
    answers = client.call("test.echo", [{"n": n} for n in range(12)], organisation=ORGANISATION)
    assert [a["echo"]["n"] for a in answers] == list(range(12))
    assert {a["organisation"] for a in answers} == {str(ORGANISATION)}


def test_what_has_arrived_runs_as_one_batch(echo) -> None:
    blocker = threading.Thread(
        target=lambda: client.call("test.echo", [{"sleep": 0.3}], organisation=ORGANISATION)
    )
    blocker.start()
    time.sleep(0.1)
    answers = client.call("test.echo", [{"n": n} for n in range(10)], organisation=ORGANISATION)
    blocker.join()
    assert [a["batch"] for a in answers] == [8] * 8 + [2] * 2


def test_a_handlers_refusal_reaches_the_caller(echo) -> None:
    with pytest.raises(InvalidInput, match="word: is refused") as caught:
        client.call("test.echo", [{"n": 1}, {"refuse": True}], organisation=ORGANISATION)
    assert caught.value.errors[0].field == "word"


def test_a_fault_is_answered_and_the_lane_goes_on(echo) -> None:
    with pytest.raises(InternalError):
        client.call("test.echo", [{"fault": True}], organisation=ORGANISATION)
    assert client.call("test.echo", [{"n": 1}], organisation=ORGANISATION)[0]["echo"] == {"n": 1}


def test_no_worker_is_said_at_once(lanes) -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"no worker serves test\.echo"):
        client.call("test.echo", [{}], organisation=ORGANISATION)
    assert time.monotonic() - began < 1
    assert wire.connect().llen("lane:test.echo:any") == 0


def test_a_full_queue_refuses_the_whole_call(lanes) -> None:
    connection = wire.connect()
    connection.set("alive:test.echo:any", 1, ex=5)
    connection.rpush("lane:test.echo:any", *[b"x"] * 10)
    with pytest.raises(Busy) as caught:
        client.call("test.echo", [{}] * 7, organisation=ORGANISATION)
    assert caught.value.retry_after
    assert connection.llen("lane:test.echo:any") == 10


def test_an_unanswered_call_ends_at_its_deadline(lanes) -> None:
    wire.connect().set("alive:test.echo:any", 1, ex=5)
    with pytest.raises(DeadlineExceeded):
        client.call("test.echo", [{}], organisation=ORGANISATION, deadline_s=0.2)


def test_expired_items_are_dropped_before_the_forward(lanes) -> None:
    connection = wire.connect()
    dead = wire.Item("call", 0, ORGANISATION, time.time() - 1, "-", {"fault": True})
    connection.rpush("lane:test.echo:any", dead.encode())
    consumer = Consumer("test.echo", ECHO, Echo(), "any")
    consumer.start()
    try:
        raw = connection.blpop(["reply:call"], timeout=5)
    finally:
        consumer.stop()
    assert wire.decode_reply(raw[1])[2]["code"] == "deadline_exceeded"


def test_a_stream_is_read_in_order_to_its_end(count) -> None:
    stream = client.open_stream("test.count", {"upto": 50}, organisation=ORGANISATION)
    events = [e for e in streams.read_stream(stream, organisation=ORGANISATION) if e]
    assert "".join(e.data["text"] for e in events[:-1]) == "".join(f"{n} " for n in range(50))
    assert events[-1].type == "done"


def test_resuming_neither_loses_nor_repeats(count) -> None:
    stream = client.open_stream("test.count", {"upto": 40, "pause": 0.01}, organisation=ORGANISATION)
    first = next(e for e in streams.read_stream(stream, organisation=ORGANISATION) if e)
    rest = [e for e in streams.read_stream(stream, organisation=ORGANISATION, last_event_id=first.id) if e]
    text = first.data["text"] + "".join(e.data["text"] for e in rest if e.type == "token")
    assert text.split() == [str(n) for n in range(40)]


@pytest.mark.slow
def test_a_token_is_not_held_back_by_a_pause_after_it(count) -> None:
    stream = client.open_stream("test.count", {"upto": 3, "pause": 1.0}, organisation=ORGANISATION)
    began = time.monotonic()
    events = streams.read_stream(stream, organisation=ORGANISATION)
    assert [next(events).data["text"] for _ in range(2)] == ["0 ", "1 "]
    assert time.monotonic() - began < 1.8
    streams.cancel_stream(stream)


def test_another_organisation_cannot_read_a_stream(count) -> None:
    stream = client.open_stream("test.count", {"upto": 1}, organisation=ORGANISATION)
    with pytest.raises(NotFound):
        streams.read_stream(stream, organisation=uuid7())


def test_cancel_stops_the_work(count) -> None:
    stream = client.open_stream("test.count", {"upto": 1000, "pause": 0.01}, organisation=ORGANISATION)
    time.sleep(0.2)
    streams.cancel_stream(stream)
    last = [e for e in streams.read_stream(stream, organisation=ORGANISATION) if e][-1]
    assert last.data == {"cancelled": True}
    assert count.handler.stopped_at < 200


@pytest.mark.slow
def test_a_reader_that_leaves_and_stays_away_stops_the_work(count, committed, monkeypatch) -> None:
    monkeypatch.setattr(wire, "RECONNECT_GRACE_S", 0.3)
    stream = client.open_stream("test.count", {"upto": 1000, "pause": 0.01}, organisation=ORGANISATION)
    response = streams.sse_response(stream, organisation=ORGANISATION)
    frames = iter(response)
    next(frames), next(frames)
    response.close()
    del frames
    time.sleep(1.2)
    assert count.handler.stopped_at is not None


@pytest.mark.parametrize("event_id", ["$; drop", "²", "9" * 23 + "-1", "1-2-3", "-1"])
def test_bad_event_ids_are_refused(count, event_id) -> None:
    stream = client.open_stream("test.count", {"upto": 1}, organisation=ORGANISATION)
    with pytest.raises(InvalidInput, match="Last-Event-ID"):
        streams.read_stream(stream, organisation=ORGANISATION, last_event_id=event_id)


@pytest.mark.slow
def test_a_stream_whose_worker_died_ends_with_an_error(lanes) -> None:
    connection = wire.connect()
    connection.set("alive:test.count:any", 1, ex=5)
    stream = client.open_stream("test.count", {"upto": 1}, organisation=ORGANISATION)
    connection.xadd(wire.stream_key(stream), {"type": "token", "data": '{"text": "so"}'})
    events = [e for e in streams.read_stream(stream, organisation=ORGANISATION) if e]
    assert [(e.type, e.data.get("code")) for e in events] == [("token", None), ("error", "unavailable")]


@pytest.mark.slow
def test_a_request_that_nobody_takes_in_time_is_given_up(lanes) -> None:
    wire.connect().set("alive:test.count:any", 1, ex=5)
    stream = client.open_stream("test.count", {"upto": 1}, organisation=ORGANISATION, deadline_s=0.5)
    assert not streams.is_abandoned(stream)
    assert [e.type for e in streams.read_stream(stream, organisation=ORGANISATION) if e] == ["error"]


@pytest.mark.slow
def test_a_slow_stream_is_not_taken_for_a_dead_one(count, monkeypatch) -> None:
    stream = client.open_stream("test.count", {"upto": 2, "pause": 2.5}, organisation=ORGANISATION)
    events = [e for e in streams.read_stream(stream, organisation=ORGANISATION) if e]
    assert [e.type for e in events] == ["token", "token", "done"]


@pytest.mark.slow
def test_a_worker_that_goes_away_is_noticed_before_the_deadline(lanes) -> None:
    wire.connect().set("alive:test.echo:any", 1, px=500)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="gone"):
        client.call("test.echo", [{}], organisation=ORGANISATION, deadline_s=30)
    assert time.monotonic() - began < 5


def test_an_item_that_is_none_does_not_take_others_with_it(lanes) -> None:
    connection = wire.connect()
    good = wire.Item("beside", 0, ORGANISATION, time.time() + 9, "-", {"n": 1})
    connection.rpush("lane:test.echo:any", b"[]", good.encode(), b"\xff")
    consumer = Consumer("test.echo", ECHO, Echo(), "any")
    consumer.start()
    try:
        raw = connection.blpop(["reply:beside"], timeout=5)
    finally:
        consumer.stop()
    assert wire.decode_reply(raw[1])[1]["echo"] == {"n": 1}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(payload=st.dictionaries(st.text(max_size=8), json_values, max_size=4), index=st.integers(0, 10_000))
def test_an_item_survives_the_wire(payload, index) -> None:
    item = wire.Item("c", index, ORGANISATION, 12.5, "r", payload, True)
    assert wire.Item.decode(item.encode()) == item
