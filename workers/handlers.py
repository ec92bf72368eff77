"""What a vertical gives the worker for each of its lanes: a batch handler or a stream handler."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from rootstock.errors import DomainError

if TYPE_CHECKING:
    from workers.runtime import Runtime


@dataclass(slots=True, frozen=True)
class LaneRequest:
    """One request that reached the worker. `deadline` is in Unix seconds."""

    id: str
    organisation_id: UUID
    payload: dict[str, Any]
    deadline: float


class BatchHandler(Protocol):
    """Answers requests in batches of what had arrived."""

    def load(self, runtime: "Runtime") -> None:
        """Take what the handler needs; called once, before the first batch."""

    def run(self, batch: Sequence[LaneRequest]) -> list[dict[str, Any] | DomainError]:
        """One result or error for each request, in order."""


class StreamHandler(Protocol):
    """Answers one request with a stream of events."""

    def load(self, runtime: "Runtime") -> None:
        """Take what the handler needs; called once, before the first request."""

    def stream(
        self, request: LaneRequest, cancelled: Callable[[], bool]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """(event type, data) pairs; the last one's type is `done`. Stops soon after `cancelled()` turns true."""


def answer(handler: BatchHandler, batch: Sequence[LaneRequest]) -> list[dict[str, Any] | DomainError]:
    """Run a handler and check that it kept its contract. Raises RuntimeError when the counts differ."""
    results = handler.run(batch)
    if len(results) != len(batch):
        raise RuntimeError(f"{type(handler).__name__} gave {len(results)} results for {len(batch)} requests")
    return results
