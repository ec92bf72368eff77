"""The viewer's time zone. The browser tells it in a cookie; until it has, days are days of UTC."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest

COOKIE = "rootstock_zone"
UTC = ZoneInfo("UTC")


def zone_of(request: HttpRequest) -> ZoneInfo:
    """The viewer's zone."""
    try:
        return ZoneInfo(request.COOKIES.get(COOKIE, "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
