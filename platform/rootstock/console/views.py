"""The shell's own pages."""

import sys
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.console import palette as command_palette
from rootstock.console import selectors
from rootstock.console.context import PLAIN
from rootstock.console.style_examples import PAYMENTS, ROWS, examples
from rootstock.console.tables import of_rows
from rootstock.errors import AWAY, problem, problem_of, unavailable
from rootstock.middleware import error_page


@require_GET
@tenant_page()
def home(request: PageRequest) -> HttpResponse:
    """What runs, what it is doing, what this organisation has."""
    return render(request, "console/home.html", selectors.home(request.membership))


@require_GET
@tenant_page()
def home_live(request: PageRequest) -> HttpResponse:
    """The part of the home page that renews itself."""
    return render(request, "console/home_live.html", selectors.home(request.membership))


@require_GET
@tenant_page()
def health_dot(request: PageRequest) -> HttpResponse:
    """The dot in the top bar."""
    return JsonResponse(selectors.health_dot())


@require_http_methods(["GET", "POST"])
@tenant_page()
def palette(request: PageRequest) -> HttpResponse:
    """What the command palette offers: everything without a text, what is found with a posted one.

    The text may name a person, so it never stands in an address.
    """
    text = request.POST.get("q", "")
    groups = (
        command_palette.found(request.membership, text)
        if text
        else command_palette.commands(request.membership, request.memberships)
    )
    return JsonResponse(command_palette.as_json(groups))


@require_GET
@tenant_page()
def style(request: PageRequest) -> HttpResponse:
    """Every component with made-up contents: what pages are built from."""
    return render(request, "console/style.html", examples() | {"table": of_rows(request, PAYMENTS, ROWS)})


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith(("/api/", "/v1/"))


def _error(request: HttpRequest, status: int, code: str, title: str, text: str) -> HttpResponse:
    if _is_api(request):
        return problem(request, status, code, text)
    context: dict[str, Any] = {"title": title, "text": text, "request_id": getattr(request, "request_id", "")}
    if status >= 500:
        context["layout"] = PLAIN  # the shell asks the database who is signed in
    return render(request, "console/error.html", context, status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """400."""
    return _error(
        request, 400, "bad_request", "That request could not be read",
        "Something in the address or the form was not valid. Nothing was changed.",
    )  # fmt: skip


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """403."""
    return _error(
        request, 403, "forbidden", "You may not do that",
        "Your role in this organisation does not include it. An administrator can change that.",
    )  # fmt: skip


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """403 for a form without a valid token."""
    return _error(
        request, 403, "forbidden", "This form has expired",
        "It was open for too long, or was sent from another site. Go back, load the page again and repeat it.",
    )  # fmt: skip


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """404."""
    return _error(
        request, 404, "not_found", "There is nothing here",
        "The page does not exist, or it belongs to another organisation.",
    )  # fmt: skip


def server_error(request: HttpRequest) -> HttpResponseBase:
    """500, or 503 where a middleware found the database away: no `process_exception` sees that one."""
    error = sys.exc_info()[1]
    if isinstance(error, AWAY):
        found = unavailable(error)
        return problem_of(request, found) if _is_api(request) else error_page(request, found)
    return _error(
        request, 500, "internal", "Something broke on our side",
        "It is logged under the number below. What you had saved before is kept; try again in a moment.",
    )  # fmt: skip
