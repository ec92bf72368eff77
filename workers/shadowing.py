"""An alias's shadow: another version answers the same request, unseen, and only how far the two agree is kept."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError

from models_zoo.llm.scores import answer_scores
from rootstock.errors import AWAY, DomainError
from rootstock.lanes.streams import release_connection
from rootstock.registry.shadows import Compared, shadow_tally
from workers.engine.protocol import Call, EngineError, Priority, Sampling
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


class Shadows:
    """Compares answers one after the other, behind everything that somebody waits for."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._pool = ThreadPoolExecutor(1, "shadows")
        self._places = threading.Semaphore(MOST_WAITING)

    def compare(self, answered: Answered) -> None:
        """Soon, if not too many wait already. Only requests in text, for one answer, are compared."""
        sampling, prompt = answered.sampling, answered.prompt
        is_text = isinstance(prompt, str) or not isinstance(next(iter(prompt), None), int)
        if is_text and sampling.n == sampling.beams == 1 and self._places.acquire(blocking=False):
            self._pool.submit(self._run, answered)

    def _run(self, answered: Answered) -> None:
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

    def _compared(self, answered: Answered) -> Compared | None:
        """None when the shadow could not answer."""
        began = time.monotonic()
        call = Call(str(answered.owner), Priority.EVALUATION, time.time() + DEADLINE_S)
        try:
            adapter = adapter_of(self._runtime, answered.owner, answered.shadow)
            sampling = replace(answered.sampling, logprobs=None)
            chunks = self._runtime.engine.generate(answered.prompt, sampling, adapter, call)
            text = "".join(chunk.text for chunk in chunks)
        except (DomainError, EngineError, ValueError) as error:
            log.warning("the shadow of %s did not answer: %s", answered.alias, type(error).__name__)
            return None
        scores = answer_scores([answered.text], [text])
        took = (time.monotonic() - began) * 1000
        return Compared(scores["rouge_l"], answered.text == text, answered.milliseconds, took)
