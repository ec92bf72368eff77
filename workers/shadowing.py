"""An alias's shadow: another version answers the same request, unseen, and only how far the two agree is kept."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError

from models_zoo.llm.scores import answer_scores
from rootstock.errors import AWAY, DomainError
from rootstock.lanes.streams import release_connection
from rootstock.registry.shadows import Compared, shadow_tally
from workers.engine.protocol import Call, Engine, EngineError, Priority, Sampling
from workers.gateway_forms import adapter_of
from workers.runtime import Runtime

log = logging.getLogger(__name__)
MOST_WAITING = 64  # comparisons: what comes beyond them is not compared
DEADLINE_S = 300.0


@dataclass(slots=True, frozen=True)
class Answered:
    """What an alias answered: the request, the digests of the version that answered it and of the one to
    compare with, and what it said.

    Held in memory until it has been compared, and nowhere else.
    """

    owner: UUID
    alias: str
    version: str
    shadow: str
    prompt: Any
    sampling: Sampling
    text: str
    milliseconds: float

    @property
    def is_comparable(self) -> bool:
        """Only a request in text, for one answer."""
        is_text = isinstance(self.prompt, str) or not isinstance(next(iter(self.prompt), None), int)
        return is_text and self.sampling.n == self.sampling.beams == 1

    def judged(self, engine: Engine, adapter: str | None, call: Call) -> tuple[float, bool]:
        """How far the adapter's answer is alike, and whether it is the same."""
        chunks = engine.generate(self.prompt, replace(self.sampling, logprobs=None), adapter, call)
        text = "".join(chunk.text for chunk in chunks)
        return answer_scores([self.text], [text])["rouge_l"], self.text == text


@dataclass(slots=True, frozen=True)
class Read:
    """What an alias's version found in one text: its labels, or its spans.

    `again` has another adapter read the same text, by its name in the engine. Held in memory as the others are.
    """

    owner: UUID
    alias: str
    version: str
    shadow: str
    found: frozenset[Any]
    again: Callable[[str, Call], frozenset[Any]]
    milliseconds: float

    @property
    def is_comparable(self) -> bool:
        """Any reading is."""
        return True

    def judged(self, engine: Engine, adapter: str | None, call: Call) -> tuple[float, bool]:
        """F1 of what both found, 1 when neither found anything; and whether that is the same."""
        other = self.again(adapter or "", call)
        both = len(self.found) + len(other)
        return 2 * len(self.found & other) / both if both else 1.0, self.found == other


class Shadows:
    """Compares answers one after the other, behind everything that somebody waits for."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._pool = ThreadPoolExecutor(1, "shadows")
        self._places = threading.Semaphore(MOST_WAITING)

    def compare(self, answered: Answered | Read) -> None:
        """Soon, if it can be compared and not too many wait already."""
        if answered.is_comparable and self._places.acquire(blocking=False):
            self._pool.submit(self._run, answered)

    def _run(self, answered: Answered | Read) -> None:
        try:
            shadow_tally(
                organisation=answered.owner, alias=answered.alias, versions=(answered.version, answered.shadow),
                compared=self._compared(answered),
            )  # fmt: skip
        except (DatabaseError, *AWAY) as error:
            log.warning("a shadow's comparison was not kept: %s", type(error).__name__)
        finally:
            release_connection()
            self._places.release()

    def _compared(self, answered: Answered | Read) -> Compared | None:
        """None when the shadow could not answer."""
        began = time.monotonic()
        call = Call(str(answered.owner), Priority.EVALUATION, time.time() + DEADLINE_S)
        try:
            adapter = adapter_of(self._runtime, answered.owner, answered.shadow)
            agreement, same = answered.judged(self._runtime.engine, adapter, call)
        except (DomainError, EngineError, ValueError) as error:
            log.warning("the shadow of %s did not answer: %s", answered.alias, type(error).__name__)
            return None
        return Compared(agreement, same, answered.milliseconds, (time.monotonic() - began) * 1000)
