"""The generation of a lane: a lane that needs the base model carries its fingerprint, so that a request written for
one base is never answered by another."""

import time

from django.conf import settings

from rootstock.errors import Unavailable
from rootstock.registry.base import base_fingerprint

_CACHE_S = 5.0
_cached: tuple[float, str] | None = None


def generation_of(lane: str) -> str:
    """The generation that requests of this lane are written for now."""
    return _current_base() if settings.LANES[lane].group == "language" else "any"


def _current_base() -> str:
    global _cached
    if _cached is None or time.monotonic() - _cached[0] > _CACHE_S:
        fingerprint = base_fingerprint()
        if fingerprint is None:
            raise Unavailable("no base model has been converted yet", retry_after=5)
        _cached = (time.monotonic(), fingerprint)
    return _cached[1]
