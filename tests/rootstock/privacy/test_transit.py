"""Personal data on its way through Valkey: sealed in lists and streams, open at both ends."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from rootstock.ids import uuid7
from rootstock.lanes import client, streams, wire
from rootstock.privacy import transit
from rootstock.privacy.keyring import Tampered
from tests.fixtures.lanes import COUNT, ECHO, Count, Echo
from workers.lanes import Consumer

pytestmark = pytest.mark.slow  # real processes

ORGANISATION = uuid7()
NAME = "Ada Lovelace of Ockham Park"


@pytest.fixture
def lanes(services: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two lanes that are sealed."""
    for name, lane, handler in (("test.echo", ECHO, Echo()), ("test.count", COUNT, Count())):
        sealed = replace(lane, sealed=True)
        monkeypatch.setitem(settings.LANES, name, sealed)
        wire.connect().delete(f"lane:{name}:any")
        consumers.append(Consumer(name, sealed, handler, "any"))
        consumers[-1].start()
    yield
    while consumers:
        consumers.pop().stop()


consumers: list[Consumer] = []


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=4), st.text(max_size=8))
def test_only_the_same_call_opens_it(value: dict[str, Any], call: str) -> None:
    concealed = transit.conceal(value, call)
    assert transit.reveal(concealed, call) == value
    with pytest.raises(Tampered):
        transit.reveal(concealed, call + "x")


def test_what_was_not_concealed_stays() -> None:
    assert transit.reveal({"text": "open"}, "c") == {"text": "open"}
    with pytest.raises(Tampered):
        transit.reveal({"sealed": "x:not base64"}, "c")


def test_it_works(lanes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    encode, reply = wire.Item.encode, wire.encode_reply
    monkeypatch.setattr(wire.Item, "encode", lambda item: seen.append(encode(item)) or seen[-1])
    monkeypatch.setattr(wire, "encode_reply", lambda *given: seen.append(reply(*given)) or seen[-1])
    [answer] = client.call("test.echo", [{"text": NAME}], organisation=ORGANISATION)
    assert answer["echo"] == {"text": NAME}
    assert len(seen) == 2
    assert not any(b"Lovelace" in raw for raw in seen)


def test_streams(lanes: None) -> None:
    stream = client.open_stream("test.count", {"upto": 3, "name": NAME}, organisation=ORGANISATION)
    told = [event for event in streams.read_stream(stream, organisation=ORGANISATION) if event]
    assert "".join(event.data["text"] for event in told if event.type == "token") == "0 1 2 "
    raw = wire.connect().xrange(wire.stream_key(stream))
    assert len(raw) == len(told)
    assert all(b"sealed" in fields[b"data"] and b"0 1" not in fields[b"data"] for _, fields in raw)


def test_callers_do_not_mix(lanes: None) -> None:
    found: dict[int, Any] = {}

    def ask(number: int) -> None:
        found[number] = client.call("test.echo", [{"n": number}], organisation=ORGANISATION)[0]["echo"]["n"]

    threads = [threading.Thread(target=ask, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: number for number in range(6)}
