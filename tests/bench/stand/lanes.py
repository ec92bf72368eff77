"""The handler that does nothing: what is measured is the way to it and back."""

from collections.abc import Sequence
from typing import Any

from rootstock.errors import DomainError
from workers.handlers import LaneRequest


class Echo:
    """Answers with what came."""

    def load(self, runtime: Any) -> None:
        """Nothing to load."""

    def run(self, batch: Sequence[LaneRequest]) -> list[dict[str, Any] | DomainError]:
        """One answer each."""
        return [{"echo": request.payload} for request in batch]
