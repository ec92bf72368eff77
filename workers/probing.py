"""What the registry asks of a worker before it takes an adapter: load it as it will be served, and show its effect."""

import math
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from models_zoo.llm.card import AdapterError
from rootstock.errors import DomainError, InvalidInput, Unavailable
from rootstock.registry.contents import upload_fetched
from workers.engine.protocol import Call, EngineBusy, EngineError, NotFinite, Priority
from workers.handlers import LaneRequest
from workers.runtime import Runtime

TEXTS = (
    "The parcel has not arrived yet.",
    "Blood pressure 150/95, started on amlodipine 5 mg.",
    "Thank you!",
)


class ProbeHandler:
    """Payload {upload, digest} -> {difference}: how far it changes what comes out, on a few texts.

    Of a chat adapter, the largest distance of a text's unit vector from the base's; of a classifier, the largest
    difference that texts make to a label's probability. None of a tagger: it may rightly mark nothing.
    """

    def load(self, runtime: Runtime) -> None:
        """Keep the runtime."""
        self._runtime = runtime

    def run(self, batch: Sequence[LaneRequest]) -> list[dict[str, Any] | DomainError]:
        """One answer each. InvalidInput: the engine does not take the adapter."""
        return [self._answer(request) for request in batch]

    def _answer(self, request: LaneRequest) -> dict[str, Any] | DomainError:
        upload, digest = UUID(request.payload["upload"]), str(request.payload["digest"])
        engine, name = self._runtime.engine, f"probe-{request.id}"
        try:
            with upload_fetched(request.organisation_id, upload, digest) as folder:
                engine.load(name, folder)
                try:
                    return {"difference": self._difference(name, request)}
                finally:
                    engine.unload(name)
        except AdapterError as error:
            return InvalidInput.field("adapter", str(error).rpartition("/")[2])
        except NotFinite as error:
            return InvalidInput.field("adapter", str(error))
        except EngineBusy:
            return Unavailable("the engine's queue is full", retry_after=2)
        except EngineError as error:
            return Unavailable(f"the adapter could not be tried: {error}", retry_after=5)

    def _difference(self, name: str, request: LaneRequest) -> float | None:
        call, engine = (
            Call(str(request.organisation_id), Priority.EVALUATION, request.deadline),
            self._runtime.engine,
        )
        task = engine.card(name).task
        if task == "tagging":
            engine.tag(TEXTS, name, call)
            return None
        if task == "classification":
            found = [list(one.values()) for one in engine.classify(TEXTS, name, call)]
            return float(max(max(column) - min(column) for column in zip(*found, strict=True)))
        told = [engine.embed(TEXTS, adapter, call) for adapter in (None, name)]
        return max(math.dist(a.vector, b.vector) for a, b in zip(*told, strict=True))
