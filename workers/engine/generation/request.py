"""What travels through the engine: a reply in the making, and a text to be read whole.

Both carry what the scheduler needs to know of a piece of work (workers/engine/scheduling/entry.py).
"""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from models_zoo.llm.tokenizer import ChatTokenizer
from workers.engine.generation.constraints import ConstraintCompiler, ConstraintError, Matcher
from workers.engine.generation.penalties import Penalties
from workers.engine.generation.text import TextStream, Transcript
from workers.engine.protocol import Call, EngineError, Sampling, Timing, TokenLogprob, Usage

if TYPE_CHECKING:
    from workers.engine.generation.group import Group

GREEDY_BELOW = 1e-5  # a lower temperature is greedy


class Vocabulary:
    """The tokens of a base: their bytes, those that are no text, and the constraints compiled for them."""

    def __init__(self, tokenizer: ChatTokenizer, end: int, size: int) -> None:
        self.tokenizer, self.size = tokenizer, size
        self.token_bytes = tokenizer.token_bytes + [b""] * (size - len(tokenizer.token_bytes))
        self.control = frozenset(token for token, data in enumerate(self.token_bytes) if not data)
        self.constraints = ConstraintCompiler(tokenizer, end, size)


@dataclass(slots=True, frozen=True)
class Choice:
    """A reply's next token. `error` instead, when its constraint failed."""

    token: int
    logprob: TokenLogprob | None = None
    error: ConstraintError | None = None


@dataclass(slots=True, eq=False)
class Ticket:
    """One call, shared by all the work it made. Setting `cancelled`, from any thread, ends all of it;
    `failure` is what is answered then."""

    call: Call
    arrived: float = field(default_factory=time.monotonic)
    cancelled: bool = False
    failure: EngineError | None = None


@dataclass(slots=True, eq=False, repr=False, kw_only=True)
class Work:
    """What generations and readings have in common. `first_read` is when the device first read of it
    (time.monotonic(), as all times here)."""

    ticket: Ticket
    adapter: str | None
    ready: bool = True
    blocks: list[int] = field(default_factory=list)
    computed: int = 0
    cached: int = 0
    first_read: float | None = None

    @property
    def organisation(self) -> str:
        return self.ticket.call.organisation

    @property
    def priority(self) -> int:
        return self.ticket.call.priority

    @property
    def deadline(self) -> float | None:
        return self.ticket.call.deadline

    @property
    def arrived(self) -> float:
        return self.ticket.arrived

    @property
    def cancelled(self) -> bool:
        return self.ticket.cancelled

    @cancelled.setter
    def cancelled(self, value: bool) -> None:
        self.ticket.cancelled = value

    def started(self) -> None:
        """The device reads of it in this step."""
        if self.first_read is None:
            self.first_read = time.monotonic()


@dataclass(slots=True, eq=False, repr=False, kw_only=True)
class Generation(Work):
    """One reply in the making: a candidate, or a beam on its way.

    `seed` and `index` name its draws; `limit` is how many tokens it may be long. A beam's text is made by its
    group, at the end.
    """

    whole: ClassVar[bool] = False
    prompt: list[int]
    sampling: Sampling
    vocabulary: Vocabulary
    limit: int
    seed: int
    index: int = 0
    generated: list[int] = field(default_factory=list)
    penalties: Penalties | None = None
    matcher: Matcher | None = None
    group: Group = field(init=False)
    transcript: Transcript = field(init=False)
    adjusts: bool = field(init=False)  # its row is changed
    plain: bool = field(init=False)  # the likeliest token of its row is all there is to it
    first_token: float | None = None
    last_token: float | None = None
    reason: str | None = None  # why it ended
    _untold: list[Choice] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.transcript = Transcript(TextStream(self.vocabulary.token_bytes), self.sampling.stop)
        self.adjusts = bool(self.penalties or self.matcher or self.sampling.logit_bias)
        self.plain = self.greedy and not self.adjusts and self.sampling.logprobs is None

    @property
    def greedy(self) -> bool:
        return self.sampling.temperature < GREEDY_BELOW

    def known(self) -> int:
        return len(self.prompt) + len(self.generated)

    def tokens(self, start: int, stop: int) -> list[int]:
        """Those of prompt and reply from `start` to `stop`."""
        length = len(self.prompt)
        if start >= length:
            return self.generated[start - length : stop - length]
        return self.prompt[start:stop] + self.generated[: max(0, stop - length)]

    def branch(self, index: int) -> Generation:
        """Another reply that begins with the same tokens."""
        other = replace(
            self,
            index=index,
            ready=True,
            blocks=[],
            computed=0,
            generated=list(self.generated),
            penalties=self.penalties and self.penalties.copy(),
            matcher=self.matcher and self.matcher.copy(),
        )
        other.group = self.group
        return other

    def adjust(self, row: Tensor) -> None:
        """Change row float32 [vocabulary]: logit bias, penalties, constraint. Raises `ConstraintError`."""
        for token, bias in self.sampling.logit_bias.items():
            row[token] += bias
        if self.penalties is not None:
            self.penalties.apply(row)
        if self.matcher is not None:
            self.matcher.mask(row)

    def ending(self, token: int) -> str | None:
        """Why the reply would end with `token`, stop strings aside."""
        if token in self.vocabulary.control and not self.sampling.ignore_end:
            return "stop"
        if self.matcher is not None and self.matcher.completes(token):
            return "stop"
        return "length" if len(self.generated) + 1 >= self.limit else None

    def append(self, token: int) -> None:
        """The reply goes on with `token`. Raises `ConstraintError` if it may not."""
        if self.matcher is not None and token not in self.vocabulary.control:
            self.matcher.take(token)
        if self.penalties is not None:
            self.penalties.add(token)
        self.generated.append(token)
        self.last_token = time.monotonic()
        if self.first_token is None:
            self.first_token = self.last_token

    def accept(self, choice: Choice) -> str | None:
        """Take a chosen token, and say why the reply ends here, if it does; else `tell` puts its text out."""
        if choice.error is not None:
            self.fail(choice.error)
            return "error"
        reason = self.ending(choice.token)
        self.append(choice.token)
        self._untold.append(choice)
        if self.sampling.stop:
            self._write()
            if self.transcript.stopped:
                reason = "stop"
        if reason is not None:
            self.end(reason, control=reason == "stop" and choice.token in self.vocabulary.control)
        return reason

    def tell(self) -> None:
        """Put out what text the accepted tokens make, unless the reply has ended."""
        if self.reason is None:
            self._write()
            if self.transcript.waiting:
                self.group.put(self.index, self.transcript.take())

    def _write(self) -> None:
        for choice in self._untold:
            self.transcript.push(choice.token, choice.logprob)
        self._untold.clear()

    def end(self, reason: str, control: bool = False) -> None:
        """Put the last chunk out; `control`: its last token is an end token."""
        self._write()
        self.reason = reason
        self.group.put(
            self.index, self.transcript.take_rest(control), reason, self.usage(len(self.generated))
        )

    def finish(self, reason: str) -> None:
        """End it, and its siblings, here."""
        self.group.finish(reason)

    def fail(self, error: Exception) -> None:
        """End it, and its siblings, with an error."""
        self.group.fail(error)

    def usage(self, tokens: int) -> Usage:
        """Of a reply of so many tokens that ends now."""
        now = time.monotonic()
        queued, first = (
            None if moment is None else moment - self.arrived
            for moment in (self.first_read, self.first_token)
        )
        return Usage(len(self.prompt), self.cached, tokens, Timing(queued, first, now - self.arrived))


@dataclass(slots=True, eq=False, repr=False, kw_only=True)
class Reading(Work):
    """One window of a text, for a head or to be embedded.

    The future's value: a row of probabilities [classes] of the window, one row for each token
    [tokens][tags], or its vector [hidden size] of length 1.
    """

    whole: ClassVar[bool] = True
    ids: list[int]
    result: Future[list[list[float]]] = field(default_factory=Future)

    def known(self) -> int:
        return len(self.ids)

    def tokens(self, start: int, stop: int) -> list[int]:
        """Those from `start` to `stop`."""
        return self.ids[start:stop]

    def fail(self, error: Exception) -> None:
        """End with an error."""
        if not self.result.done():
            self.result.set_exception(error)
