"""Request ids, and domain errors of pages and API alike turned into answers."""

import logging
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from rootstock.accounts.actors import SYSTEM, acting
from rootstock.errors import AWAY, DomainError, problem_of, unavailable

request_id: ContextVar[str] = ContextVar("request_id", default="-")
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def _new_id() -> str:
    """Ordered by time, not a secret: asking the system for random bytes would be one more system call."""
    return f"{time.time_ns():016x}{random.getrandbits(64):016x}"


@contextmanager
def within_request(wanted: str) -> Iterator[None]:
    """What happens in the block belongs to this request, also after its answer has begun."""
    token = request_id.set(wanted)
    try:
        yield
    finally:
        request_id.reset(token)


class RequestIdFilter(logging.Filter):
    """Puts the current request's id on every log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: it only adds."""
        record.request_id = request_id.get()
        return True


class RequestIdMiddleware:
    """Takes a caller's X-Request-Id, or makes one, and returns it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request.request_id = given if _ACCEPTED_ID.fullmatch(given) else _new_id()  # type: ignore[attr-defined]
        token = request_id.set(request.request_id)  # type: ignore[attr-defined]
        try:
            with acting(SYSTEM):  # until the edge knows who calls
                response = self.get_response(request)
        finally:
            request_id.reset(token)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response


class NoStoreMiddleware:
    """Pages and answers are about persons: no cache keeps them unless the view, or the server of static files, says
    so. A page fetched ahead stays in that browser until it is opened."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        ahead = request.META.get("HTTP_SEC_PURPOSE", "").startswith("prefetch")
        response.headers.setdefault("Cache-Control", "private, no-cache" if ahead else "no-store")
        return response


def error_page(request: HttpRequest, error: DomainError) -> HttpResponse:
    """The page for a domain error, with Retry-After where the reader should wait."""
    away = {"layout": "console/plain.html"} if error.http_status >= 500 else {}
    page = render(request, "console/error.html", {"error": error} | away, status=error.http_status)
    if error.retry_after is not None:
        page["Retry-After"] = str(max(1, round(error.retry_after)))
    return page


def answer_of(request: HttpRequest, error: DomainError) -> HttpResponse:
    """problem+json for a program, else the page."""
    return problem_of(request, error) if _for_a_program(request) else error_page(request, error)


class DomainErrorMiddleware:
    """A `DomainError` that leaves a page's view becomes an error page, or problem+json for a program."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer for a domain error or a service that is away; leave every other exception to Django."""
        if isinstance(error, AWAY):
            error = unavailable(error)
        return answer_of(request, error) if isinstance(error, DomainError) else None


_PROGRAM_TYPES = ("application/problem+json", "application/json", "text/event-stream")


def _for_a_program(request: HttpRequest) -> bool:
    """The API's callers, and who asks for data before HTML; `*/*` is what browsers send for many things."""
    preferred = request.get_preferred_type(["text/html", *_PROGRAM_TYPES])
    return request.path.startswith(("/api/", "/v1/")) or preferred in _PROGRAM_TYPES
