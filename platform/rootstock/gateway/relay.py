"""From the events of the engine's streams to an answer: gathered, or as it comes."""

from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import StreamingHttpResponse

from rootstock.errors import DomainError
from rootstock.gateway.services import GenerationEvents
from rootstock.gateway.shapes import END, STILL_HERE, Likelihoods, Shape
from rootstock.openai_errors import error_event


@dataclass(slots=True)
class Gathered:
    """A finished candidate."""

    text: str
    reason: str
    likelihoods: Likelihoods | None


@dataclass(slots=True)
class _Candidate:
    texts: list[str] = field(default_factory=list)
    likelihoods: Likelihoods = field(default_factory=list)


def gathered(events: GenerationEvents) -> tuple[list[Gathered], dict[str, Any]]:
    """All candidates of one prompt, and what `done` said. An error is raised."""
    found: defaultdict[int, _Candidate] = defaultdict(_Candidate)
    done: dict[str, Any] = {}
    for event in events:
        if event is not None and event.type == "token":
            candidate = found[event.data["index"]]
            candidate.texts.append(event.data["text"])
            candidate.likelihoods += event.data.get("logprobs", ())
        elif event is not None and event.type == "done":
            done = event.data
    return [
        Gathered("".join(found[at].texts), reason, found[at].likelihoods or None)
        for at, reason in enumerate(done["finish"])
    ], done["usage"]


def all_gathered(prompts: Sequence[GenerationEvents]) -> list[tuple[list[Gathered], dict[str, Any]]]:
    """Of each prompt. An error is raised, and nobody writes on for the others."""
    try:
        return [gathered(events) for events in prompts]
    finally:
        for events in prompts:
            events.close()


class Relay:
    """The bytes of a streamed answer. `close` gives up what is not finished, also when nobody has read a byte."""

    def __init__(
        self, prompts: Sequence[GenerationEvents], shape: Shape, n: int, *, tells_usage: bool
    ) -> None:
        self._prompts, self._shape, self._n, self._tells_usage = prompts, shape, n, tells_usage
        self._frames = self._all()

    def __iter__(self) -> Iterator[bytes]:
        return self._frames

    def close(self) -> None:
        """Nobody reads on."""
        self._frames.close()
        for events in self._prompts:
            events.close()

    def _all(self) -> Generator[bytes, None, None]:
        told: list[dict[str, Any]] = []
        try:
            for at, events in enumerate(self._prompts):
                yield from self._one(events, at * self._n, told)
        except DomainError as error:
            yield error_event(error.http_status, error.as_dict())
            return
        if self._tells_usage:
            yield self._shape.usage(told)
        yield END

    def _one(self, events: GenerationEvents, offset: int, told: list[dict[str, Any]]) -> Iterator[bytes]:
        for index in range(offset, offset + self._n):
            if begun := self._shape.first(index):
                yield begun
        for event in events:
            if event is None:
                yield STILL_HERE
            elif event.type == "token":
                data = event.data
                yield from self._shape.more(offset + data["index"], data["text"], data.get("logprobs"))
            elif event.type == "done":
                told.append(event.data["usage"])
                for index, reason in enumerate(event.data["finish"]):
                    yield from self._shape.last(offset + index, reason)


def streamed(
    prompts: Sequence[GenerationEvents], shape: Shape, n: int, *, tells_usage: bool
) -> StreamingHttpResponse:
    """The answer as it comes. A refusal of the first prompt is still an answer with its status."""
    try:
        next(prompts[0])  # `start`: the engine has taken it
    except BaseException:
        for events in prompts:
            events.close()
        raise
    relay = Relay(prompts, shape, n, tells_usage=tells_usage)
    response = StreamingHttpResponse(relay, content_type="text/event-stream")
    response["X-Accel-Buffering"] = "no"
    return response
