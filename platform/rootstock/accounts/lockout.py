"""Lockout after failed sign-ins, by user name and address (django-axes)."""

from datetime import datetime, timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Max, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from rootstock.accounts.models import User
from rootstock.console.formats import span


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
    since = timezone.now() - timedelta(seconds=settings.LOCKOUT_S)
    last = (
        AccessAttempt.objects.filter(username=user.username.lower(), attempt_time__gte=since)
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
    last = (
        AccessAttempt.objects.filter(
            username=attempted_name(request, credentials), ip_address=client_address(request)
        )
        .order_by("-attempt_time")
        .first()
    )
    started = last.attempt_time if last else timezone.now()
    left = max(1.0, settings.LOCKOUT_S - (timezone.now() - started).total_seconds())
    page = render(request, "accounts/locked.html", {"wait": span(left)}, status=429)
    page["Retry-After"] = str(round(left))
    return page
