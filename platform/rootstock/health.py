"""Probes: is the process alive, and can it do its work."""

from django.db import Error, connection
from django.http import HttpRequest, JsonResponse

from rootstock.lanes.health import snapshot


def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Database, Valkey and every lane's worker are there; otherwise 503, and which is not.

    `degraded` with 200: requests are answered, but queues that are named wait for a worker, or for beat.
    """
    health = snapshot()
    checks = {
        "database": _database_answers(),
        "valkey": health.reachable,
        "workers": bool(health.workers) and not health.missing,
    }
    served = "degraded" if health.unserved else "ok"
    body = {
        "status": served if all(checks.values()) else "unavailable",
        "checks": checks,
        "lanes": health.missing,
        "queues": health.unserved,
    }
    return JsonResponse(body, status=200 if all(checks.values()) else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return True
    except Error:
        return False
