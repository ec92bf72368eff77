"""What streams write, and how it travels."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings

from rootstock.catalogue import Lane
from rootstock.ids import uuid7
from rootstock.lanes import client, streams, wire
from workers.handlers import LaneRequest
from workers.lanes import Consumer
from workers.streams import Flusher

ORGANISATION = uuid7()
TALK = Lane("tests.workers.test_streams.Talk", "score", deadline_s=20.0, streams=True, threads=3)


class Talk:
    """Two candidates, word by word, each with its likelihood."""

    def load(self, runtime: Any) -> None:
        """Nothing to load."""

    def stream(
        self, request: LaneRequest, cancelled: Callable[[], bool]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """`start`, words, `done`."""
        yield "start", {}
        for number in range(request.payload["words"]):
            for index in (0, 1):
                yield "token", {"text": f"{index}.{number} ", "index": index, "logprobs": [number]}
            time.sleep(request.payload.get("pause", 0))
        yield "done", {}


@pytest.fixture
def talk(services, monkeypatch) -> Iterator[Consumer]:
    monkeypatch.setitem(settings.LANES, "test.talk", TALK)
    wire.connect().delete("lane:test.talk:any", "alive:test.talk:any")
    consumer = Consumer("test.talk", TALK, Talk(), "any")
    consumer.start()
    yield consumer
    consumer.stop()


def read(stream: str) -> list[streams.StreamEvent]:
    return [event for event in streams.read_stream(stream, organisation=ORGANISATION) if event]


def test_tokens_travel_together_and_keep_their_candidate(talk) -> None:
    events = read(client.open_stream("test.talk", {"words": 300}, organisation=ORGANISATION))
    assert [event.type for event in events if event.type != "token"] == ["start", "done"]
    assert (events[0].type, events[-1].type) == ("start", "done")
    for index in (0, 1):
        tokens = [event.data for event in events if event.data.get("index") == index]
        assert "".join(data["text"] for data in tokens) == "".join(f"{index}.{n} " for n in range(300))
        assert [one for data in tokens for one in data["logprobs"]] == list(range(300))
    assert len(events) < 300


@pytest.mark.slow
def test_more_streams_than_threads_all_come_to_their_end(talk) -> None:
    opened = [
        client.open_stream("test.talk", {"words": 5, "pause": 0.02}, organisation=ORGANISATION)
        for _ in range(12)
    ]
    assert [read(stream)[-1].type for stream in opened] == ["done"] * 12
    assert talk._flusher.drained(5)


@pytest.mark.slow
def test_nothing_is_taken_that_no_thread_is_free_for(talk) -> None:
    for _ in range(8):
        client.open_stream("test.talk", {"words": 10, "pause": 0.2}, organisation=ORGANISATION)
    time.sleep(0.7)
    assert wire.connect().llen("lane:test.talk:any") >= 8 - TALK.threads


def test_a_valkey_that_was_away_costs_no_event(services) -> None:
    flusher = Flusher("test-flusher")
    stream = uuid7().hex
    with flusher.writer(stream, ORGANISATION, sealed=False) as writer:
        writer.write("start", {})
        time.sleep(0.1)
        assert flusher._line._socket
        flusher._line._socket.close()  # as when the server is started again
        writer.write("token", {"text": "still "})
        time.sleep(0.1)
        writer.write("token", {"text": "here"})
        writer.write("done", {})
    assert flusher.drained(5)
    raw = wire.connect().xrange(wire.stream_key(stream))
    assert [fields[b"type"] for _, fields in raw][0::3] == [b"start", b"done"]
    assert len(raw) == 4


@pytest.mark.slow
def test_a_request_lost_between_queue_and_worker_is_given_up(services, monkeypatch) -> None:
    monkeypatch.setattr(streams, "_MISSED_S", 0.3)
    monkeypatch.setattr(streams, "_BLOCK_MS", 100)
    monkeypatch.setitem(settings.LANES, "test.talk", TALK)
    valkey, queue = wire.connect(), "lane:test.talk:any"
    valkey.delete(queue)
    valkey.set("alive:test.talk:any", 1, ex=5)
    stream = client.open_stream("test.talk", {"words": 1}, organisation=ORGANISATION)
    for _ in range(2):
        assert not streams.is_abandoned(stream)  # it waits, however long
        time.sleep(0.4)
    valkey.lpop(queue)
    given_back: list[bool] = []
    events = streams.read_stream(stream, organisation=ORGANISATION, abandoned=lambda: given_back.append(True))
    assert [event.data["code"] for event in events if event] == ["unavailable"]
    assert given_back == [True]
    assert valkey.exists(wire.cancel_key(stream))


@pytest.mark.slow
def test_a_place_is_kept_while_it_is_written_and_not_much_longer(services, monkeypatch) -> None:
    monkeypatch.setattr("workers.streams._SHOW_S", 0.1)
    monkeypatch.setattr(wire, "PLACE_S", 1.0)
    valkey, places, flusher, stream = (
        wire.connect(),
        wire.places_key(ORGANISATION),
        Flusher("test-places"),
        uuid7().hex,
    )
    valkey.zadd(places, {stream: time.time() + 600})
    with flusher.writer(stream, ORGANISATION, sealed=False) as writer:
        time.sleep(0.5)
        writer.write("token", {"text": "so"})
        assert time.time() < valkey.zscore(places, stream) < time.time() + 1.0
        valkey.zrem(places, stream)
        time.sleep(0.4)
        assert valkey.zscore(places, stream) is None  # what was given back stays free
        writer.write("done", {})
    assert flusher.drained(5)
