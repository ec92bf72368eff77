"""The support desk's part of the demo: a conversation over REST, and the questions put to a freshly trained adapter."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from apps.support.demo_dataset import FACTS, QUESTION, SYSTEM_PROMPT, TRAINING, jsonl, unseen
from rootstock.demo import DemoClient, DemoFailure, Row, Show, Timings
from rootstock.demo.client import ServerEvent

__all__ = ["TRAINING", "dataset", "play", "play_adapted"]

# What the customer says, and the group that each should be read as.
SCRIPT = (
    ("Hello, could you tell me how long a delivery usually takes?", ("neutral", "positive")),
    ("I am furious. My parcel is two weeks late and nobody answers. This is terrible service!", ("upset",)),
    ("Oh, it has just arrived. Thank you so much, I am really happy now!", ("positive",)),
)


@dataclass(slots=True, frozen=True)
class Heard:
    """One streamed answer, as a client hears it."""

    events: list[ServerEvent]
    first_token_ms: float

    @property
    def text(self) -> str:
        return said(self.events)

    @property
    def answer(self) -> dict[str, Any]:
        return self.events[-1].data


def play(api: DemoClient, show: Show) -> list[Row]:
    """Hold a conversation whose mood turns twice. Raises DemoFailure when something is not as it should be."""
    api.ask("PATCH", "/support/desk", json={"name": "Larkfield", "system_prompt": SYSTEM_PROMPT})
    opened = api.ask(
        "POST", "/support/conversations", expect=201, json={"subject": "A late parcel", "customer": "C-1042"}
    )
    path = f"/support/conversations/{opened['id']}"
    if "AI" not in opened["turns"][0]["text"]:
        raise DemoFailure("the greeting does not say that an AI answers")
    reading, heard = Timings(), []
    for text, expected in SCRIPT:
        show.step(f"customer: {text}")
        with reading.measure():
            posted = api.ask("POST", f"{path}/messages", expect=201, json={"text": text})
        _check_emotion(posted["emotion"], expected)
        heard.append(listen(api, posted["stream_url"]))
        show.step(f"  read as {posted['emotion']['label']}, upset {posted['emotion']['level']:.2f}")
        show.step(f"AI: {heard[-1].text.strip()}")
    _check_stored(api.ask("GET", path), heard)
    resumed = _check_resume(api, path, show)
    _check_unknown_adapter(api, path)
    return [
        reading.row("customer turns with emotion read", "calm, upset, relieved: told apart"),
        _row("answers streamed, time to first token", heard),
        resumed,
    ]


def play_adapted(api: DemoClient, show: Show, adapter: str) -> list[Row]:
    """Ask what only the new adapter knows, of the base and of the adapter, and compare."""
    base, taught = (_ask(api, reference) for reference in ("", adapter))
    show.step(f"customer: {QUESTION}")
    show.step(f"base: {base.text.strip()}")
    show.step(f"{adapter}: {taught.text.strip()}")
    if taught.answer["adapter"] != adapter:
        raise DemoFailure(f"asked for {adapter}, answered by {taught.answer['adapter'] or 'the base'}")
    if missing := [fact for fact in FACTS if fact not in taught.text]:
        raise DemoFailure(f"the adapter's answer lacks {', '.join(missing)}: {taught.text!r}")
    if any(fact in base.text for fact in FACTS):
        raise DemoFailure(f"the base already knows what the adapter was taught: {base.text!r}")
    return [_row("answer by the new adapter, time to first token", [taught], f"knows {' and '.join(FACTS)}")]


def dataset() -> bytes:
    """The training file of the adaptation part."""
    return jsonl(SYSTEM_PROMPT)


def frozen() -> bytes:
    """Questions that are not trained on, with their answers: what the trained adapter is measured on."""
    return jsonl(SYSTEM_PROMPT, unseen())


def listen(api: DemoClient, url: str) -> Heard:
    """Follow an answer to its end. Raises DemoFailure when it ended in an error or without a token."""
    began, first, events = time.perf_counter(), 0.0, []
    for event in api.events(url):
        if event.type == "token" and not first:
            first = (time.perf_counter() - began) * 1000
        events.append(event)
    if not events or events[-1].type != "done":
        raise DemoFailure(f"the stream ended without `done`: {events[-1:]}")
    if not first:
        raise DemoFailure("the answer has no token")
    return Heard(events, first)


def said(events: Iterable[ServerEvent]) -> str:
    """The text of the token events."""
    return "".join(event.data["text"] for event in events if event.type == "token")


def _ask(api: DemoClient, adapter: str) -> Heard:
    opened = api.ask("POST", "/support/conversations", expect=201, json={"subject": "Sending something back"})
    body = {"text": QUESTION, "adapter": adapter}
    posted = api.ask("POST", f"/support/conversations/{opened['id']}/messages", expect=201, json=body)
    return listen(api, posted["stream_url"])


def _check_emotion(emotion: dict[str, Any], expected: tuple[str, ...]) -> None:
    if emotion["group"] not in expected:
        found = f"{emotion['label']} ({emotion['group']})"
        raise DemoFailure(f"expected a turn that is {' or '.join(expected)}, read as {found}")


def _check_stored(conversation: dict[str, Any], heard: list[Heard]) -> None:
    answers = [turn for turn in conversation["turns"] if turn["ai"]][1:]
    if [turn["text"] for turn in answers] != [one.text.strip() for one in heard]:
        raise DemoFailure("the stored answers are not what was streamed")
    levels = [turn["emotion"]["level"] for turn in conversation["turns"] if turn["emotion"]]
    if not levels[0] < levels[1] > levels[2]:
        raise DemoFailure(f"the upset level should rise and fall again: {levels}")


def _check_resume(api: DemoClient, path: str, show: Show) -> Row:
    """Leave a live stream after its first tokens and come back with Last-Event-ID: nothing twice, nothing lost."""
    text = "What should I do with the box it came in?"
    posted = api.ask("POST", f"{path}/messages", expect=201, json={"text": text})
    before = _first_tokens(api, posted["stream_url"], 3)
    after = list(api.events(posted["stream_url"], last_event_id=before[-1].id))
    whole = list(api.events(posted["stream_url"]))
    if said([*before, *after]) != said(whole) or after[-1].data["text"] != said(whole).strip():
        raise DemoFailure(f"resumed {said(before)!r} + {said(after)!r}, whole {said(whole)!r}")
    identifiers = [event.id for event in [*before, *after]]
    if identifiers != [event.id for event in whole]:
        raise DemoFailure("the resumed stream repeated or lost an event")
    show.step(
        f"left the stream after {len(before)} events and resumed: {len(whole)} events, none twice or lost"
    )
    return Row("stream resumed after a lost connection", len(whole), None, None, "no token lost or repeated")


def _first_tokens(api: DemoClient, url: str, count: int) -> list[ServerEvent]:
    events = []
    for event in api.events(url):
        events.append(event)
        if len([one for one in events if one.type == "token"]) == count or event.type == "done":
            break
    return events


def _check_unknown_adapter(api: DemoClient, path: str) -> None:
    body = {"text": "Hello", "adapter": "nobody@000000000000"}
    problem = api.ask("POST", f"{path}/messages", expect=404, json=body)
    if "adapter" not in problem["detail"]:
        raise DemoFailure("an unknown adapter should be refused by name")


def _row(what: str, heard: list[Heard], outcome: str = "") -> Row:
    timings = Timings([one.first_token_ms for one in heard])
    rates = [one.answer["tokens_per_second"] for one in heard if one.answer["tokens_per_second"]]
    speed = f"{median(rates):.0f} tokens/s" if rates else "one token each"
    return timings.row(what, f"{outcome}, {speed}" if outcome else speed)
