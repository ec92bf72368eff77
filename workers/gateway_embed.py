"""What the gateway runs on the worker for `/v1/embeddings`."""

import base64
import struct
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from models_zoo.llm.tokenizer import ChatTokenizer
from rootstock.errors import DomainError, InvalidInput
from rootstock.registry.base import base_folder
from workers.engine.protocol import Call, EngineBusy, EngineError, EngineTimeout, Priority
from workers.failures import put_off
from workers.gateway_forms import adapter_of
from workers.handlers import LaneRequest
from workers.runtime import Runtime

MOST_TOKENS = 2048  # of a text


class EmbedHandler:
    """Reads texts into vectors: the vector as base64 of little-endian float32 out.

    In: `{"text", "field", "adapter", "priority"}`; `adapter` is a digest, `field` what the caller
    calls the text.
    """

    def load(self, runtime: Runtime) -> None:
        """Keep the runtime, and the tokenizer of its base."""
        self._runtime = runtime
        self._tokenizer = ChatTokenizer(base_folder())

    def run(self, batch: Sequence[LaneRequest]) -> list[dict[str, Any] | DomainError]:
        """One call of the engine for each organisation, adapter and priority among the requests."""
        groups: defaultdict[tuple[UUID, str, str], list[int]] = defaultdict(list)
        answers: dict[int, dict[str, Any] | DomainError] = {}
        for at, request in enumerate(batch):
            if too_long := self._too_long(request.payload):
                answers[at] = too_long
            else:
                adapter, priority = request.payload["adapter"], request.payload["priority"]
                groups[request.organisation_id, adapter, priority].append(at)
        for group, members in groups.items():
            answers |= zip(members, self._read(*group, [batch[at] for at in members]), strict=True)
        return [answers[at] for at in range(len(batch))]

    def _too_long(self, asked: dict[str, Any]) -> DomainError | None:
        tokens = len(self._tokenizer.encode(asked["text"]))
        if tokens <= MOST_TOKENS:
            return None
        return InvalidInput.field(asked["field"], f"is {tokens} tokens long, at most {MOST_TOKENS} are read")

    def _read(
        self, owner: UUID, digest: str, priority: str, requests: list[LaneRequest]
    ) -> Sequence[dict[str, Any] | DomainError]:
        deadline = max(request.deadline for request in requests)
        call = Call(str(owner), Priority[priority.upper()], deadline)
        try:
            adapter = adapter_of(self._runtime, owner, digest)
            texts = [request.payload["text"] for request in requests]
            found = self._runtime.engine.embed(texts, adapter, call)
        except (EngineBusy, EngineTimeout) as problem:
            return [put_off(problem, "the texts were not read in time") for _ in requests]
        except (EngineError, ValueError) as error:
            return [InvalidInput.field(request.payload["field"], str(error)) for request in requests]
        except DomainError as error:
            return [error for _ in requests]
        return [{"vector": _packed(each.vector), "tokens": each.tokens} for each in found]


def _packed(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
