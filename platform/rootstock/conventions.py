"""What holds for every endpoint of the API: no unknown query parameters, JSON only where JSON is read, idempotency
keys, the next page as a Link, and the headers of an endpoint that will go away."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.http import http_date
from ninja import NinjaAPI
from ninja.operation import Operation

from rootstock.accounts.auth import Principal
from rootstock.errors import FieldProblem, InvalidInput, OtherType
from rootstock.idempotency import edge as idempotency
from rootstock.idempotency.marks import way_of

F = TypeVar("F", bound=Callable[..., Any])
Run = Callable[..., HttpResponseBase]
_MARK = "deprecation"
JSON = "application/json"


@dataclass(slots=True, frozen=True)
class Deprecation:
    """Since when an endpoint should not be used any more, when it ends, and what says what to use instead."""

    since: date
    sunset: date
    link: str


def deprecated(*, since: date, sunset: date, link: str) -> Callable[[F], F]:
    """Mark an endpoint (beneath the router's decorator). It answers as before, and says so in headers."""

    def mark(view: F) -> F:
        setattr(view, _MARK, Deprecation(since, sunset, link))
        return view

    return mark


def deprecation_of(operation: Operation) -> Deprecation | None:
    """The mark of an endpoint."""
    return getattr(operation.view_func, _MARK, None)


def query_names(operation: Operation) -> frozenset[str]:
    """The query parameters that an endpoint knows."""
    models = [model for model in operation.models if model.__ninja_param_source__ == "query"]
    return frozenset(name for model in models for name in model.__ninja_flatten_map__)


def takes_json(operation: Operation) -> frozenset[str]:
    """The types of its body, where that is JSON; none where it has no body or one of another kind."""
    told = (operation.openapi_extra or {}).get("requestBody", {}).get("content", {})
    types = frozenset(
        told or ([JSON] if any(one.__ninja_param_source__ == "body" for one in operation.models) else ())
    )
    return types if JSON in types else frozenset()


def establish(api: NinjaAPI) -> None:
    """Let the conventions hold for every router of the API, those added later too."""
    api.add_decorator(_noting_next, mode="operation")
    api.add_decorator(_conventional, mode="view")


def _noting_next(view: F) -> F:
    @wraps(view)
    def noted(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        result = view(request, *args, **kwargs)
        if isinstance(result, dict) and result.keys() == {"items", "next"}:
            request.next_cursor = result["next"]  # type: ignore[attr-defined]
        return result

    return noted  # type: ignore[return-value]


def _conventional(run: Run) -> Run:
    operation: Operation = run.__self__  # type: ignore[attr-defined]  # ninja gives the operation's bound method
    known, way, deprecation = query_names(operation), way_of(operation.view_func), deprecation_of(operation)
    types = takes_json(operation)
    keyed = way != "keeps_its_own" and bool(idempotency.METHODS & set(operation.methods))

    def conventional(request: HttpRequest, **path: Any) -> HttpResponseBase:
        try:
            _refuse_unknown(request, known)
            _refuse_other_type(request, types)
            if keyed and "HTTP_IDEMPOTENCY_KEY" in request.META:
                response = _once(operation, request, lambda: run(request, **path))
            else:
                response = run(request, **path)
        except Exception as error:
            response = operation.api.on_exception(request, error)
        return _with_headers(request, response, deprecation)

    def _once(
        operation: Operation, request: HttpRequest, answer: Callable[[], HttpResponseBase]
    ) -> HttpResponseBase:
        refused = operation._run_checks(request)  # who asks must be known before the key is looked at
        if refused is not None:
            return refused
        principal: Principal = request.auth  # type: ignore[attr-defined]
        return idempotency.answered_once(request, principal, way, answer)

    return conventional


def _refuse_unknown(request: HttpRequest, known: frozenset[str]) -> None:
    if not request.META.get("QUERY_STRING"):
        return
    unknown = [name for name in request.GET if name not in known]
    if unknown:
        allowed = f"known here: {', '.join(sorted(known))}" if known else "this takes none"
        problems = [FieldProblem(name[:80], "is not a query parameter") for name in unknown[:50]]
        raise InvalidInput(f"{problems[0].field}: is not a query parameter; {allowed}", errors=problems)


def _refuse_other_type(request: HttpRequest, types: frozenset[str]) -> None:
    """A body that says of itself that it is no JSON is not read as such; one that says nothing is."""
    given = request.content_type or JSON
    if (
        types
        and request.META.get("CONTENT_LENGTH") != "0"
        and given not in types
        and not given.endswith("+json")
    ):
        raise OtherType.than(" or ".join(sorted(types)))


def _with_headers(
    request: HttpRequest, response: HttpResponseBase, deprecation: Deprecation | None
) -> HttpResponseBase:
    links = []
    if cursor := getattr(request, "next_cursor", None):
        query = urlencode(
            [(k, v) for k, vs in request.GET.lists() for v in vs if k != "cursor"] + [("cursor", cursor)]
        )
        links.append(f'<{request.path}?{query}>; rel="next"')
    if deprecation:
        response["Deprecation"] = f"@{int(_moment(deprecation.since))}"
        response["Sunset"] = http_date(_moment(deprecation.sunset))
        links.append(f'<{deprecation.link}>; rel="deprecation"')
    if links:
        response["Link"] = ", ".join(links)
    return response


def _moment(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()
