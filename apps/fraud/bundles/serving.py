"""The model that scores an organisation's payments: its own where one is active, else the shipped one."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import redis

from apps.fraud.bundles.contents import scorer_of, shipped_is_kept, shipped_keep, shipped_scorer
from apps.fraud.bundles.models import ModelInForce, ModelVersion
from models_zoo.fraud.scorer import Scorer, WeightsError
from rootstock.accounts.tenancy import tenant
from rootstock.errors import AWAY, NotFound, Unavailable

log = logging.getLogger(__name__)
FRESH_S = 1.0
"""For so long a worker does not ask whether another version has become active."""
MOST = 8
"""Bundles beside the shipped one that a worker holds in memory, the least used going first: up to a hundred megabytes
each."""
RETRY_S = 60.0
"""After this time a worker tries again to keep the shipped bundle, where storage did not answer."""


@dataclass(slots=True, frozen=True)
class _Known:
    seen: float
    version: ModelVersion | None


class Models:
    """The scorers of organisations. One thread at a time."""

    def __init__(self, fresh_s: float = FRESH_S) -> None:
        self._fresh_s = fresh_s
        self._known: dict[UUID, _Known] = {}
        self._loaded: OrderedDict[tuple[UUID | None, str], Scorer] = OrderedDict()
        self.shipped = Scorer()

    def of(self, organisation: UUID) -> Scorer:
        """What scores now, at most `fresh_s` old. Raises Unavailable when its files cannot be had."""
        now, known = time.monotonic(), self._known.get(organisation)
        if known is None or now - known.seen >= self._fresh_s:
            with tenant(organisation):
                row = ModelInForce.objects.select_related("current").first()
            known = self._known[organisation] = _Known(now, row.current if row else None)
        version = known.version
        if version is None:
            return self.shipped
        return self._scorer((organisation, version.digest), partial(scorer_of, version), serves=True)

    def by_digest(self, organisation: UUID, digest: str) -> Scorer:
        """A model that has scored. Raises NotFound when it is neither the organisation's nor ever was shipped here."""
        if digest == self.shipped.card.digest:
            return self.shipped
        with tenant(organisation):
            version = ModelVersion.objects.filter(digest=digest).first()
        if version is not None:
            return self._scorer((organisation, digest), partial(scorer_of, version))
        key = (None, digest)
        if key not in self._loaded and not shipped_is_kept(digest):
            raise NotFound(f"the model fraud@{digest[:12]} is not shipped any more, and is none of yours")
        return self._scorer(key, partial(shipped_scorer, digest))

    def _scorer(
        self, key: tuple[UUID | None, str], load: Callable[[], Scorer], *, serves: bool = False
    ) -> Scorer:
        if key not in self._loaded:
            try:
                self._loaded[key] = load()
            except WeightsError as error:
                log.error("a model cannot be loaded: %s", error)
                raise Unavailable(f"the model fraud@{key[1][:12]} cannot be loaded", retry_after=5) from None
            if serves:  # beside the payments, which do not wait for it
                threading.Thread(target=self._loaded[key].ready, name="fraud-tables", daemon=True).start()
            while len(self._loaded) > MOST:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(key)
        return self._loaded[key]


def shipped_keep_in_time(valkey: "redis.Redis[bytes]") -> None:
    """Keep the shipped bundle in storage, beside whatever the worker does; until storage takes it."""
    threading.Thread(target=_keep, args=(valkey,), name="fraud-bundle", daemon=True).start()


def _keep(valkey: "redis.Redis[bytes]") -> None:
    while True:
        try:
            return shipped_keep(valkey)
        except (OSError, *AWAY) as error:
            log.warning("the shipped model is not in storage yet: %s", type(error).__name__)
            time.sleep(RETRY_S)
