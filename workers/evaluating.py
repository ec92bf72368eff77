"""What the registry asks of a worker to measure an adapter: its answers to a test set's examples, as it serves them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from models_zoo.llm.scores import given_labels
from rootstock.errors import DomainError, InvalidInput
from workers.engine.protocol import Call, Engine, EngineBusy, EngineError, EngineTimeout, Priority, Sampling
from workers.failures import put_off
from workers.gateway_forms import adapter_of
from workers.handlers import LaneRequest
from workers.runtime import Runtime


class EvaluateHandler:
    """Payload {task, adapter, example, max_tokens} -> {answer}: a text, labels, or spans [start, end, label].

    `adapter` is a digest; it may be empty for chat alone: the base's own answer. Waits behind everything else on the
    engine.
    """

    def load(self, runtime: Runtime) -> None:
        """Keep the runtime."""
        self._runtime = runtime

    def run(self, batch: Sequence[LaneRequest]) -> list[dict[str, Any] | DomainError]:
        """One call of the engine for each organisation, task and adapter among the requests."""
        groups = defaultdict[tuple[UUID, str, str], list[int]](list)
        for at, request in enumerate(batch):
            groups[request.organisation_id, request.payload["task"], request.payload["adapter"]].append(at)
        answers: dict[int, dict[str, Any] | DomainError] = {}
        for (owner, task, digest), members in groups.items():
            told = self._answers(owner, task, digest, [batch[at] for at in members])
            answers |= zip(members, told, strict=True)
        return [answers[at] for at in range(len(batch))]

    def _answers(
        self, owner: UUID, task: str, digest: str, requests: list[LaneRequest]
    ) -> Sequence[dict[str, Any] | DomainError]:
        call = Call(str(owner), Priority.EVALUATION, max(request.deadline for request in requests))
        try:
            adapter = adapter_of(self._runtime, owner, digest)
            answered = ANSWERS[task](self._runtime.engine, adapter or "", requests, call)
            return [{"answer": answer} for answer in answered]
        except (EngineBusy, EngineTimeout) as problem:
            return [put_off(problem, "the examples were not read in time") for _ in requests]
        except (EngineError, ValueError) as error:
            return [InvalidInput.field("example", str(error)) for _ in requests]
        except DomainError as error:
            return [error for _ in requests]


def _texts(engine: Engine, adapter: str, requests: list[LaneRequest], call: Call) -> list[Any]:
    """Greedy answers, all of them written at once."""
    writing = [
        engine.generate(
            request.payload["example"]["messages"], Sampling(max_tokens=request.payload["max_tokens"]),
            adapter or None, call,
        )
        for request in requests
    ]  # fmt: skip
    return ["".join(chunk.text for chunk in chunks) for chunks in writing]


def _labels(engine: Engine, adapter: str, requests: list[LaneRequest], call: Call) -> list[Any]:
    """As `given_labels` chooses them."""
    card = engine.card(adapter)
    found = engine.classify([request.payload["example"]["text"] for request in requests], adapter, call)
    return [given_labels(card, one) for one in found]


def _spans(engine: Engine, adapter: str, requests: list[LaneRequest], call: Call) -> list[Any]:
    found = engine.tag([request.payload["example"]["text"] for request in requests], adapter, call)
    return [[[span.start, span.end, span.label] for span in spans] for spans in found]


ANSWERS = {"chat": _texts, "classification": _labels, "tagging": _spans}
