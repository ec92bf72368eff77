"""The edge: how large a request may be, what the JSON and the strings of the API may hold, and which errors
never reach an endpoint."""

import json
import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.utils.datastructures import MultiValueDict
from ninja.parser import Parser

from rootstock import rates
from rootstock.errors import BadBody, FieldProblem, InvalidInput, TooLarge, problem, problem_of
from rootstock.middleware import answer_of
from rootstock.openai_errors import OPENAI_PREFIX
from rootstock.storable import MAY_SPELL_ONE, REASON, Join, unstorable
from rootstock.storable import dotted as dotted

API_PREFIXES = ("/api/", OPENAI_PREFIX)
MAX_PROBLEMS = 50
_TOO_LONG = object()  # stands for a whole number that Python does not read
_TWICE = object()  # stands for what is said twice
_FORM_BYTES = 64 * 1024  # what a form has around its file


def bracketed(path: str, part: str | int) -> str:
    """`entry[3].resource`: how FHIR names elements."""
    return f"{path}[{part}]" if isinstance(part, int) else dotted(path, part)


def refuse_unstorable(value: Any, path: str = "", join: Join = dotted) -> None:
    """Raise InvalidInput with the path of every string within `value` that no database column can hold."""
    _refuse(unstorable(value, path, join), REASON)


def _refuse(found: Iterator[str], reason: str) -> None:
    problems = [FieldProblem(place or "body", reason) for place in islice(found, MAX_PROBLEMS)]
    if problems:
        rest = len(problems) - 1 + sum(1 for _ in found)
        more = f" (and {rest} more)" if rest else ""
        raise InvalidInput(f"{problems[0].field}: {problems[0].reason}{more}", errors=problems)


def json_of(body: bytes, join: Join = dotted) -> Any:
    """A request's JSON. Raises BadBody for what is not JSON in UTF-8, InvalidInput for unstorable strings, whole
    numbers that are too long, and names that stand twice in an object: readers do not agree on which of the two counts
    (RFC 8259, 4)."""
    try:
        text = body.decode()
        value = _loaded(text, join)
    except (ValueError, RecursionError) as error:
        reason = "is nested too deeply" if isinstance(error, RecursionError) else str(error)[:120]
        raise BadBody.because(f"is not JSON: {reason}") from None
    if MAY_SPELL_ONE.search(text):  # what is not escaped is UTF-8 without control characters by now
        refuse_unstorable(value, join=join)
    return value


def _loaded(text: str, join: Join) -> Any:
    load = partial(json.loads, text, parse_constant=_no_constant, parse_float=_finite)
    try:
        return load(object_pairs_hook=_once)
    except json.JSONDecodeError:
        raise
    except _SaidTwice:  # the second reading says where
        value = load(parse_int=_whole, object_pairs_hook=_marked)
        _refuse(unstorable(value, "", join, lambda one: one is _TWICE), "is said twice")
        raise
    except ValueError:  # of a number: if it is a whole one, the second reading says where
        value = load(parse_int=_whole)
        _refuse(unstorable(value, "", join, lambda one: one is _TOO_LONG), "has too many digits")
        return value


class _SaidTwice(Exception):
    """An object names something twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _SaidTwice
    return found


def _marked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        found[name] = _TWICE if name in found else value
    return found


def _whole(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        return _TOO_LONG


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    """A number that overflows is infinite to Python, and nothing that a column of JSON can hold."""
    number = float(text)
    return number if math.isfinite(number) else _no_constant(text[:40])


class EdgeParser(Parser):
    """django-ninja's reading of bodies, queries and forms, with the checks above."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """The JSON body."""
        return cast(dict[str, Any], json_of(request.body))

    def parse_querydict(
        self, data: MultiValueDict[str, Any], list_fields: list[str], request: HttpRequest
    ) -> dict[str, Any]:
        """A query or a form."""
        found: dict[str, Any] = super().parse_querydict(data, list_fields, request)
        refuse_unstorable(found)
        return found


class ApiEdgeMiddleware:
    """Requests to the API that are too large, and methods that are not there, are answered by problem+json."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(API_PREFIXES):
            return self.get_response(request)
        if _length(request) > (allowed := _allowance(request)):
            return problem_of(request, TooLarge(f"at most {allowed} bytes are taken"))
        response = self.get_response(request)
        if response.status_code == 405:
            response = _not_allowed(request, response)
        rates.headers_set(request, response)
        return response

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> None:
        """A page's address with a NUL in it finds nothing; of the API, `EdgeParser` names the parameter."""
        if not request.path.startswith(API_PREFIXES) and any("\x00" in v for v in _query_values(request)):
            raise BadRequest("the address holds a NUL character")


class PageEdgeMiddleware:
    """A page's request that is too large is answered before anything reads its body."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        small, length = int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE), _length(request)
        if request.path.startswith(API_PREFIXES) or length <= small:
            return self.get_response(request)
        allowed = _allowance(request) if request.user.is_authenticated else small
        if length > allowed:
            return answer_of(request, TooLarge(f"at most {allowed} bytes are taken"))
        return self.get_response(request)


def _allowance(request: HttpRequest) -> int:
    """Bytes of a body. Uploads are never held in memory, so they may be larger."""
    is_form = request.content_type == "multipart/form-data" and request.method == "POST"
    is_piece = request.method == "PATCH" and request.path.startswith(settings.FILE_PIECES_PATH)
    if is_piece or (is_form and request.path in settings.FILE_UPLOAD_PATHS):
        return int(settings.FILE_MAX_BYTES) + _FORM_BYTES
    return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


def _length(request: HttpRequest) -> int:
    given = request.META.get("CONTENT_LENGTH") or "0"
    return int(given) if given.isdecimal() else 0


def _query_values(request: HttpRequest) -> Iterator[str]:
    for name, values in request.GET.lists():
        yield name
        yield from values


def _not_allowed(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    allowed = response.headers.get("Allow", "")
    answer = problem(
        request, 405, "method_not_allowed", f"{request.method} is not possible here; use {allowed}"
    )
    answer["Allow"] = allowed
    return answer
