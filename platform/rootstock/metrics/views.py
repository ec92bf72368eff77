"""/metrics for Prometheus: with the token of the settings, or without one from this machine only."""

import hmac
import ipaddress
import os

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from rootstock.errors import Forbidden, Unauthorized
from rootstock.metrics.collectors import Platform


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """This process's figures (all web processes' where PROMETHEUS_MULTIPROC_DIR is set) and the platform's."""
    _check(request)
    platform = CollectorRegistry()
    platform.register(Platform())
    return HttpResponse(generate_latest(_own()) + generate_latest(platform), content_type=CONTENT_TYPE_LATEST)


def _own() -> CollectorRegistry:
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together


def _check(request: HttpRequest) -> None:
    if settings.METRICS_TOKEN:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(
            given.encode(), settings.METRICS_TOKEN.encode()
        ):
            raise Unauthorized("send the value of ROOTSTOCK_METRICS_TOKEN as 'Authorization: Bearer <token>'")
    elif not _is_local(request):
        raise Forbidden("set ROOTSTOCK_METRICS_TOKEN to read the metrics from another machine")


def _is_local(request: HttpRequest) -> bool:
    """Asked on this machine, and not through a proxy, whose callers may be anybody."""
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return (
        address.is_loopback
        and "X-Forwarded-For" not in request.headers
        and "Forwarded" not in request.headers
    )
