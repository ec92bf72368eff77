"""The model that scores an organisation's payments: its own where one is active, else the shipped one."""

import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from apps.fraud.bundles.contents import scorer_of
from apps.fraud.bundles.models import ModelInForce, ModelVersion
from models_zoo.fraud.scorer import Scorer, WeightsError
from rootstock.accounts.tenancy import tenant
from rootstock.errors import NotFound, Unavailable

log = logging.getLogger(__name__)
FRESH_S = 1.0
"""For so long a worker does not ask whether another version has become active."""
MOST = 8
"""Trained bundles that a worker holds in memory, the least used going first: some tens of megabytes each."""


@dataclass(slots=True, frozen=True)
class _Known:
    seen: float
    version: ModelVersion | None


class Models:
    """The scorers of organisations. One thread at a time."""

    def __init__(self, fresh_s: float = FRESH_S) -> None:
        self._fresh_s = fresh_s
        self._known: dict[UUID, _Known] = {}
        self._loaded: OrderedDict[tuple[UUID, str], Scorer] = OrderedDict()
        self.shipped = Scorer()

    def of(self, organisation: UUID) -> Scorer:
        """What scores now, at most `fresh_s` old. Raises Unavailable when its files cannot be had."""
        now, known = time.monotonic(), self._known.get(organisation)
        if known is None or now - known.seen >= self._fresh_s:
            with tenant(organisation):
                row = ModelInForce.objects.select_related("current").first()
            known = self._known[organisation] = _Known(now, row.current if row else None)
        return self._scorer(organisation, known.version) if known.version else self.shipped

    def by_digest(self, organisation: UUID, digest: str) -> Scorer:
        """A model that has scored. Raises NotFound when it is neither shipped nor the organisation's."""
        if digest == self.shipped.card.digest:
            return self.shipped
        with tenant(organisation):
            version = ModelVersion.objects.filter(digest=digest).first()
        if version is None:
            raise NotFound(f"the model fraud@{digest[:12]} is not shipped any more, and is none of yours")
        return self._scorer(organisation, version)

    def _scorer(self, organisation: UUID, version: ModelVersion) -> Scorer:
        key = (organisation, version.digest)
        if key not in self._loaded:
            try:
                self._loaded[key] = scorer_of(version)
            except WeightsError as error:
                log.error("a model cannot be loaded: %s", error)
                raise Unavailable(f"the model {version.reference} cannot be loaded", retry_after=5) from None
            while len(self._loaded) > MOST:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(key)
        return self._loaded[key]
