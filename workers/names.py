"""What the registry asks of a worker to find persons in a data set: whether a text holds a name, never which."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from models_zoo.clinical.deid.labels import Label
from models_zoo.zoo import deid
from rootstock.errors import DomainError, Unavailable
from rootstock.registry.resolving import Chosen
from workers.engine.protocol import Call, EngineBusy, EngineError, EngineTimeout, Priority, Span
from workers.failures import put_off
from workers.handlers import LaneRequest
from workers.readers import Readers
from workers.runtime import Runtime

FOLDER = Path(deid.__file__).parent / "adapter"


class NamesHandler:
    """Payload {text} -> {sure, adapter}: how sure the adapter is of the surest name in the text, 0 to 1, or null.

    Waits behind everything else on the engine. On a base that the adapter does not fit every answer is Unavailable.
    """

    def load(self, runtime: Runtime) -> None:
        """Take the adapter. A worker without it still serves its other lanes."""
        self._runtime = runtime
        self._readers = Readers(runtime, deid.NAME, FOLDER, (Label.NAME,))

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
        call = Call(str(owner), Priority.EVALUATION, max(request.deadline for request in requests))
        try:
            adapter = self._readers.reader(None, Chosen()).name
            texts = [str(request.payload["text"]) for request in requests]
            found = self._runtime.engine.tag(texts, adapter, call)
            return [{"sure": _sure(spans), "adapter": adapter} for spans in found]
        except (EngineBusy, EngineTimeout) as problem:
            return [put_off(problem, "the examples were not read in time") for _ in requests]
        except EngineError as problem:
            return [Unavailable(f"names are not found: {problem}", retry_after=5) for _ in requests]
        except DomainError as problem:
            return [problem for _ in requests]


def _sure(spans: Sequence[Span]) -> float | None:
    return max((span.score for span in spans if span.label == Label.NAME), default=None)
