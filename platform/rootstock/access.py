"""One line in the log and one count in the figures for each request: where to, how it ended, how long, for whom.

The route is the template that matched (`api/v1/jobs/<uuid:job_id>`), never the address itself: that may hold what
a person is called.
"""

import logging
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from rootstock.accounts.actors import SYSTEM, current_actor
from rootstock.logs import route_of
from rootstock.metrics import requests

log = logging.getLogger(__name__)


class AccessMiddleware:
    """Stands behind `RequestIdMiddleware`, so that the line carries the id. A stream counts to its first byte."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - began
        route = route_of(request)
        requests.seen(route, request.method or "", response.status_code, seconds)
        log.info(
            "%s %s %d",
            request.method,
            route,
            response.status_code,
            extra=_facts(request, route, response, seconds),
        )
        return response


def _facts(request: HttpRequest, route: str, response: HttpResponse, seconds: float) -> dict[str, object]:
    actor = current_actor()
    return {
        "method": request.method,
        "route": route,
        "status": response.status_code,
        "ms": round(seconds * 1000, 1),
        "organisation": _organisation(request),
        "actor": None if actor == SYSTEM else f"{actor.kind}:{actor.id}",
    }


def _organisation(request: HttpRequest) -> str | None:
    found = getattr(getattr(request, "auth", None), "organisation", None) or getattr(
        request, "organisation", None
    )
    return str(found.pk) if found else None
