"""Counts and latencies of requests, by route template, method and status."""

import os
from pathlib import Path

from prometheus_client import Counter, Histogram

from rootstock.metrics.recent import request_seen

if shared := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    Path(shared).mkdir(parents=True, exist_ok=True)  # the first counter opens a file in it

_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
# What machines ask of the platform every few seconds: neither work done nor, with a worker away, work that failed.
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
_count = Counter(
    "rootstock_http_requests", "Requests by route template, method and status", ["route", "method", "status"]
)
_seconds = Histogram(
    "rootstock_http_request_seconds",
    "Seconds to the answer, of a stream to its first byte",
    ["route", "method"],
    buckets=_BUCKETS,
)


def seen(route: str, method: str, status: int, seconds: float) -> None:
    """Count a request. A method of a caller's own invention counts as `other`."""
    known = method if method in _METHODS else "other"
    _count.labels(route, known, str(status)).inc()
    _seconds.labels(route, known).observe(seconds)
    if route not in _PROBES:
        request_seen(seconds * 1000, status)
