"""What the gateway runs on the worker for `/v1/embeddings`."""

import base64
import struct
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from rootstock.errors import Busy, DeadlineExceeded, DomainError, InvalidInput
from workers.engine.protocol import Call, EngineBusy, EngineError, EngineTimeout
from workers.gateway_forms import adapter_of
from workers.handlers import LaneRequest
from workers.runtime import Runtime


class EmbedHandler:
    """Reads texts into vectors: `{"text", "adapter"}` in, the vector as base64 of little-endian float32 out."""

    def load(self, runtime: Runtime) -> None:
        """Keep the runtime."""
        self._runtime = runtime

    def run(self, batch: Sequence[LaneRequest]) -> list[dict[str, Any] | DomainError]:
        """One call of the engine for each organisation and adapter among the requests."""
        groups: defaultdict[tuple[UUID, str], list[int]] = defaultdict(list)
        for at, request in enumerate(batch):
            groups[request.organisation_id, request.payload["adapter"]].append(at)
        answers: dict[int, dict[str, Any] | DomainError] = {}
        for (owner, adapter), members in groups.items():
            answers |= zip(members, self._read(owner, adapter, [batch[at] for at in members]), strict=True)
        return [answers[at] for at in range(len(batch))]

    def _read(
        self, owner: UUID, reference: str, requests: list[LaneRequest]
    ) -> Sequence[dict[str, Any] | DomainError]:
        call = Call(str(owner), deadline=max(request.deadline for request in requests))
        try:
            adapter = adapter_of(self._runtime, owner, reference)
            texts = [request.payload["text"] for request in requests]
            found = self._runtime.engine.embed(texts, adapter, call)
        except EngineTimeout:
            return [DeadlineExceeded("the texts were not read in time", retry_after=1) for _ in requests]
        except EngineBusy:
            return [Busy("the engine's queue is full", retry_after=2) for _ in requests]
        except (EngineError, ValueError) as error:
            return [InvalidInput.field("input", str(error)) for _ in requests]
        except DomainError as error:
            return [error for _ in requests]
        return [{"vector": _packed(each.vector), "tokens": each.tokens} for each in found]


def _packed(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
