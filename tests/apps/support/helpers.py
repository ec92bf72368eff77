"""Reading server-sent events of Django's test client, and waiting for what another thread does."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    id: str
    type: str
    data: dict[str, Any]


def events(response: Any) -> list[Event]:
    """All events of a response."""
    return list(parse(response.streaming_content if response.streaming else [response.content]))


def parse(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Events as they come."""
    buffer = ""
    for chunk in chunks:
        buffer += chunk.decode()
        while "\n\n" in buffer:
            block, buffer = buffer.split("\n\n", 1)
            fields = dict(
                line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != ":"
            )
            if "data" in fields:
                yield Event(fields.get("id", ""), fields["event"], json.loads(fields["data"]))


def text(found: Iterable[Event]) -> str:
    """What the token events say."""
    return "".join(event.data["text"] for event in found if event.type == "token")


def wait_until(condition: Callable[[], bool], seconds: float = 8.0) -> None:
    """Poll until true; fails the test otherwise."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.03)


def post(api: Any, conversation: str, said: str, **more: Any) -> Any:
    """Say something in the conversation at this path."""
    return api.post(f"{conversation}/messages", {"text": said, **more})


def listen(api: Any, answer: Any) -> list[Event]:
    """The events of the answer to what was posted."""
    return events(api.get(answer.json()["stream_url"].removeprefix("/api/v1")))


def patch(api: Any, body: dict[str, Any]) -> Any:
    """Change the desk."""
    return api._client.patch("/api/v1/support/desk", json.dumps(body), content_type="application/json")
