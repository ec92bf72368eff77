"""Lockout after failed sign-ins (django-axes): by user name and address for a while, and by the name alone, after
many more and for a moment, so that guessing from many addresses comes to nothing and locks nobody out for long."""

from datetime import datetime, timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Max, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from rootstock.accounts.models import User
from rootstock.console.formats import span

NAME_PAUSE_S = 60


class LockoutHandler(AxesDatabaseHandler):  # type: ignore[misc]
    """axes has one limit for every way to count; here the name alone has its own."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Those of the name from this address; the limit itself while the name has to wait."""
        found: int = super().get_failures(request, credentials)
        return max(found, settings.AXES_FAILURE_LIMIT) if name_pause(request, credentials) else found


def name_pause(request: HttpRequest, credentials: dict[str, Any] | None) -> float:
    """Seconds that a name waits after failures from many addresses; 0: no wait. The addresses where the person is
    signed in do not wait: nobody keeps a colleague out from afar."""
    name = attempted_name(request, credentials)
    found = AccessAttempt.objects.filter(username=name, attempt_time__gte=_window()).aggregate(
        failures=Sum("failures_since_start"), last=Max("attempt_time")
    )
    if (found["failures"] or 0) < settings.LOCKOUT_NAME_FAILURES:
        return 0
    here = UserSession.objects.filter(user__username__iexact=name, ip=client_address(request))
    left = NAME_PAUSE_S - (timezone.now() - found["last"]).total_seconds()
    return 0 if left <= 0 or here.exists() else left


def _window() -> datetime:
    return timezone.now() - timedelta(seconds=settings.LOCKOUT_S)


def attempted_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The name that an attempt counts for, however it is spelled: of an address, its account's user name."""
    given = credentials or {}
    name = (
        str(given.get("username") or given.get("email") or request.POST.get("username", "")).strip().lower()
    )
    if "@" not in name:
        return name[:150]
    owner = User.objects.filter(email__iexact=name).values_list("username", flat=True).first()
    return (owner or name).lower()[:150]


def client_address(request: HttpRequest) -> str | None:
    """The caller's address; behind proxies the one that the outermost trusted proxy saw."""
    from allauth.core.internal.httpkit import get_client_ip

    found: str | None = get_client_ip(request)
    return found


def forget_failures(user: User) -> int:
    """Let a person try again; returns the number of attempts forgotten."""
    count: int = AccessAttempt.objects.filter(username=user.username.lower()).delete()[0]
    return count


def locked_until(user: User) -> datetime | None:
    """Until when the person is locked out from some address; None when they are not."""
    last = (
        AccessAttempt.objects.filter(username=user.username.lower(), attempt_time__gte=_window())
        .values("ip_address")
        .annotate(failures=Sum("failures_since_start"), last=Max("attempt_time"))
        .filter(failures__gte=settings.AXES_FAILURE_LIMIT)
        .aggregate(latest=Max("last"))["latest"]
    )
    return last + timedelta(seconds=settings.LOCKOUT_S) if last else None


def lockout_response(
    request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """The sign-in page with how long to wait; 429."""
    pause = name_pause(request, credentials)
    left = max(1.0, pause, _left_here(request, credentials))
    context = {"wait": span(left), "everywhere": left == pause}
    page = render(request, "accounts/locked.html", context, status=429)
    page["Retry-After"] = str(round(left))
    return page


def _left_here(request: HttpRequest, credentials: dict[str, Any] | None) -> float:
    """Seconds that the name is locked out from the caller's address; 0: it is not."""
    here = AccessAttempt.objects.filter(
        username=attempted_name(request, credentials),
        ip_address=client_address(request),
        attempt_time__gte=_window(),
    ).aggregate(failures=Sum("failures_since_start"), last=Max("attempt_time"))
    if (here["failures"] or 0) < settings.AXES_FAILURE_LIMIT:
        return 0
    left: float = settings.LOCKOUT_S - (timezone.now() - here["last"]).total_seconds()
    return left
