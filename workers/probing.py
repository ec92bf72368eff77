"""What the registry asks of a worker before it takes an adapter: load it as it will be served, and show its effect."""

import math
from collections.abc import Sequence
from typing import Any

from models_zoo.llm.card import AdapterError
from rootstock.errors import DomainError, InvalidInput, Unavailable
from rootstock.registry.contents import adapter_fetch
from workers.engine.protocol import Call, EngineBusy, EngineError, Priority
from workers.handlers import LaneRequest
from workers.runtime import Runtime

TEXTS = (
    "The parcel has not arrived yet.",
    "Blood pressure 150/95, started on amlodipine 5 mg.",
    "Thank you!",
)


class ProbeHandler:
    """Payload {digest} -> {difference}: the largest distance between a text's unit vector with and without it."""

    def load(self, runtime: Runtime) -> None:
        """Keep the runtime."""
        self._runtime = runtime

    def run(self, batch: Sequence[LaneRequest]) -> list[dict[str, Any] | DomainError]:
        """One answer each. InvalidInput: the engine does not take the adapter."""
        return [self._answer(request) for request in batch]

    def _answer(self, request: LaneRequest) -> dict[str, Any] | DomainError:
        digest, engine = str(request.payload["digest"]), self._runtime.engine
        name = f"probe-{request.id}"
        try:
            engine.load(name, adapter_fetch(request.organisation_id, digest))
            try:
                return {"difference": self._difference(name, request)}
            finally:
                engine.unload(name)
        except AdapterError as error:
            return InvalidInput.field("adapter", str(error).rpartition("/")[2])
        except EngineBusy:
            return Unavailable("the engine's queue is full", retry_after=2)
        except EngineError as error:
            return Unavailable(f"the adapter could not be tried: {error}", retry_after=5)

    def _difference(self, name: str, request: LaneRequest) -> float:
        call = Call(str(request.organisation_id), Priority.EVALUATION, request.deadline)
        told = [self._runtime.engine.embed(TEXTS, adapter, call) for adapter in (None, name)]
        return max(math.dist(a.vector, b.vector) for a, b in zip(*told, strict=True))
