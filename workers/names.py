"""What the registry asks of a worker to find persons in a data set: whether a text holds a name, never which."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from models_zoo.clinical.deid.labels import Label
from models_zoo.llm.card import ModelError
from models_zoo.zoo import deid
from rootstock.errors import Busy, DeadlineExceeded, DomainError, Unavailable
from workers.engine.protocol import Call, EngineBusy, EngineError, EngineTimeout, Priority, Span
from workers.handlers import LaneRequest
from workers.runtime import Runtime

log = logging.getLogger(__name__)
FOLDER = Path(deid.__file__).parent / "adapter"


class NamesHandler:
    """Payload {text} -> {sure, adapter}: how sure the adapter is of the surest name in the text, 0 to 1, or null.

    Waits behind everything else on the engine. On a base that the adapter does not fit every answer is Unavailable.
    """

    def load(self, runtime: Runtime) -> None:
        """Take the adapter. A worker without it still serves its other lanes."""
        self._runtime, self._adapter = runtime, ""
        try:
            self._adapter = runtime.shipped_adapter(deid.NAME, FOLDER)
        except (ModelError, EngineError, DomainError) as problem:
            log.error("no names are found in data sets: %s", problem)

    def run(self, batch: Sequence[LaneRequest]) -> list[dict[str, Any] | DomainError]:
        """One call of the engine for each organisation among the requests."""
        groups = defaultdict[UUID, list[int]](list)
        for at, request in enumerate(batch):
            groups[request.organisation_id].append(at)
        answers: dict[int, dict[str, Any] | DomainError] = {}
        for owner, members in groups.items():
            answers |= zip(members, self._answers(owner, [batch[at] for at in members]), strict=True)
        return [answers[at] for at in range(len(batch))]

    def _answers(
        self, owner: UUID, requests: Sequence[LaneRequest]
    ) -> Sequence[dict[str, Any] | DomainError]:
        if not self._adapter:
            told = f"no adapter that finds names fits the base that is served (manage.py retrain {deid.NAME})"
            return [Unavailable(told, retry_after=5) for _ in requests]
        call = Call(str(owner), Priority.EVALUATION, max(request.deadline for request in requests))
        try:
            texts = [str(request.payload["text"]) for request in requests]
            found = self._runtime.engine.tag(texts, self._adapter, call)
            return [{"sure": _sure(spans), "adapter": self._adapter} for spans in found]
        except EngineTimeout:
            return [DeadlineExceeded("the examples were not read in time", retry_after=1) for _ in requests]
        except EngineBusy:
            return [Busy("the engine's queue is full", retry_after=2) for _ in requests]
        except EngineError as problem:
            return [Unavailable(f"names are not found: {problem}", retry_after=5) for _ in requests]


def _sure(spans: Sequence[Span]) -> float | None:
    return max((span.score for span in spans if span.label == Label.NAME), default=None)
