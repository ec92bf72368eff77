"""Adapters with which verticals read: what ships with Rootstock, and what an organisation serves in its place."""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from models_zoo.llm.card import AdapterCard, AdapterError, ModelError, full_digest
from rootstock.errors import DomainError, InvalidInput, Unavailable
from rootstock.registry.resolving import Chosen
from rootstock.registry.shipped import shipped_folder
from workers.engine.protocol import Call, EngineError
from workers.gateway_forms import adapter_of
from workers.handlers import LaneRequest
from workers.shadowing import Read, Shadows

if TYPE_CHECKING:
    from workers.runtime import Runtime

log = logging.getLogger(__name__)
ANOTHER_BASE = "was made for another base than the one served here"


@dataclass(slots=True, frozen=True)
class Reader:
    """An adapter that reads: its name in the engine, how it is recorded, and its card."""

    name: str
    reference: str
    digest: str
    card: AdapterCard


class Readers:
    """The shipped adapter `name`, and those that organisations serve by an alias of their own instead."""

    def __init__(self, runtime: "Runtime", name: str, folder: Path, labels: Collection[str]) -> None:
        """Load the shipped one. A worker that cannot, for want of a base or of the right one, serves the rest.

        `labels`: what every adapter that reads instead must tell.
        """
        self._runtime, self._name, self._labels = runtime, name, labels
        self._shadows = Shadows(runtime)
        self._shipped: Reader | None = None
        self._told = "is not loaded"
        try:
            self._shipped = self._load(folder)
        except (ModelError, EngineError, DomainError) as problem:
            log.error("%s is not loaded: %s", name, problem)
            if isinstance(problem, AdapterError):
                self._told = ANOTHER_BASE

    def reader(self, owner: UUID | None, chosen: Chosen) -> Reader:
        """Who reads for a group of `grouped`. Raises a DomainError: no other reads in its place."""
        if owner is None:
            if self._shipped is None:
                raise Unavailable(f"the adapter {self._name} {self._told}", retry_after=5)
            return self._shipped
        name = adapter_of(self._runtime, owner, chosen.digest, "adapter") or ""
        card = self._runtime.engine.card(name)
        if missing := [label for label in self._labels if label not in card.labels]:
            told = f"{chosen.reference}, which {chosen.alias} serves, has no label {missing[0]}: roll it back"
            raise InvalidInput.field("adapter", told)
        return Reader(name, chosen.reference, chosen.digest, card)

    def compare(
        self,
        owner: UUID | None,
        chosen: Chosen,
        read: Mapping[str, frozenset[Any]],
        again: Callable[[str, str, Call], frozenset[Any]],
        milliseconds: float,
    ) -> None:
        """Have the alias's shadow, where it has one, read the same texts unseen.

        `read` is what was found in each; `again` finds it with an adapter, by its name, in a text; `milliseconds` all
        of them took.
        """
        if owner is None or not chosen.shadow:
            return
        for text, found in read.items():
            self._shadows.compare(
                Read(
                    owner, chosen.alias, chosen.digest, chosen.shadow, found, partial(again, text),
                    milliseconds / len(read),
                )
            )  # fmt: skip

    def _load(self, folder: Path) -> Reader:
        engine, name = self._runtime.engine, self._name
        reference = self._runtime.shipped_adapter(name, folder)
        digest = full_digest(reference, shipped_folder(engine.fingerprint, name, folder))
        return Reader(reference, reference, digest, engine.card(reference))


def grouped(batch: Sequence[LaneRequest]) -> dict[tuple[UUID | None, Chosen], list[int]]:
    """Places in the batch by the adapter that was chosen for them, `payload["adapter"]`, and by whose it is.

    Without one the shipped adapter reads, everybody's together: owner None.
    """
    groups = defaultdict[tuple[UUID | None, Chosen], list[int]](list)
    for at, request in enumerate(batch):
        chosen = Chosen(**request.payload.get("adapter", {}))
        groups[request.organisation_id if chosen.digest else None, chosen].append(at)
    return groups
