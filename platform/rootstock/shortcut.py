"""The short way of a program's request: with an Authorization header it goes from the edge straight to its endpoint.

Sessions, messages, CSRF, sign-in, CSP and htmx are for browsers. An endpoint never sees a session beside a key
(`principal_of`), so none of that middleware can change an answer here; it would only cost time.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve

from rootstock.edge import API_PREFIXES


class ProgramShortcutMiddleware:
    """Placed before everything that serves browsers. What it does not find takes the long way, which explains it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "HTTP_AUTHORIZATION" not in request.META or not request.path_info.startswith(API_PREFIXES):
            return self.get_response(request)
        try:
            match = _resolved(request.path_info)
        except Resolver404:
            return self.get_response(request)
        request.resolver_match = match
        response: HttpResponse = match.func(request, *match.args, **match.kwargs)
        if not response.streaming and not response.has_header("Content-Length"):
            response.headers["Content-Length"] = str(len(response.content))
        return response


_known: dict[str, ResolverMatch] = {}


def _resolved(path: str) -> ResolverMatch:
    """`resolve`, which looks through every pattern; an address without a variable part is looked up once."""
    match = _known.get(path)
    if match is None:
        match = resolve(path)
        if not match.args and not match.kwargs:
            _known[path] = match  # as many as there are such routes
    return match
