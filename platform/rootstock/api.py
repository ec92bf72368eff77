"""The public REST API under /api/v1: routers, and errors as problem+json."""

import logging

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.module_loading import import_string
from ninja.errors import HttpError, ValidationError

from rootstock.accounts.api import ROUTERS as ACCOUNTS
from rootstock.adaptation.api import router as adaptation_router
from rootstock.adaptation.base_api import router as base_training_router
from rootstock.adaptation.continual.api import router as continual_router
from rootstock.adaptation.openai.files import router as openai_files_router
from rootstock.adaptation.openai.jobs import router as fine_tuning_router
from rootstock.audit.api import router as audit_router
from rootstock.console.reference import ReferencePage
from rootstock.conventions import establish
from rootstock.edge import EdgeParser
from rootstock.errors import (
    AWAY,
    BadBody,
    DomainError,
    FieldProblem,
    InvalidInput,
    NotFound,
    TooLarge,
    problem,
    problem_of,
    unavailable,
)
from rootstock.field_paths import named
from rootstock.files.api import router as files_router
from rootstock.files.pieces_api import router as pieces_router
from rootstock.gateway.api import router as gateway_router
from rootstock.gateway.usage_api import router as usage_router
from rootstock.jobs.api import router as jobs_router
from rootstock.logs import route_of
from rootstock.openapi import RestApi
from rootstock.privacy.api import router as privacy_router
from rootstock.registry.alias_api import router as alias_router
from rootstock.registry.api import router as registry_router
from rootstock.registry.base_api import router as base_router
from rootstock.registry.dataset_api import router as dataset_router
from rootstock.registry.evaluation_api import router as evaluation_router
from rootstock.registry.grant_api import router as grant_router
from rootstock.registry.upload_api import router as upload_router
from rootstock.webhooks.api import router as webhooks_router

log = logging.getLogger(__name__)
MAX_PROBLEMS = 50

api = RestApi(
    title="Rootstock",
    version="1",
    description="Score payments, analyse records, hold conversations, train adapters. Errors are problem+json.",
    docs_url="/docs",
    docs=ReferencePage(),
    parser=EdgeParser(),
)


@api.exception_handler(DomainError)
def on_domain_error(request: HttpRequest, error: DomainError) -> HttpResponse:
    """A service refused."""
    return problem_of(request, error)


def on_away(request: HttpRequest, error: Exception) -> HttpResponse:
    """The database or Valkey is away."""
    return problem_of(request, unavailable(error))


for _kind in AWAY:
    api.exception_handler(_kind)(on_away)


@api.exception_handler(Http404)
def on_not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    """No such thing."""
    return problem_of(request, NotFound("no such resource"))


@api.exception_handler(HttpError)
def on_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """The framework refused; what our own parser said of the body is the cause."""
    if isinstance(error.__cause__, DomainError):
        return problem_of(request, error.__cause__)
    return problem(request, error.status_code, "bad_request", str(error.message))


@api.exception_handler(ValidationError)
def on_validation_error(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """The body, query or path does not fit the schema: each field by its path, without the value."""
    told = named(error.errors, request)
    problems = [
        FieldProblem(_path(path), found["msg"].removeprefix("Value error, "))
        for path, found in told[:MAX_PROBLEMS]
    ]
    first = f"{problems[0].field}: {problems[0].reason}" if problems else "invalid"
    more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    return problem(request, 422, "invalid_input", first + more, problems)


@api.exception_handler(RequestDataTooBig)
def on_too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    """The body is larger than is read into memory."""
    return problem_of(request, TooLarge(f"at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes are taken"))


@api.exception_handler(UnreadablePostError)
def on_broken_off(request: HttpRequest, error: UnreadablePostError) -> HttpResponse:
    """The caller went away before all of the body had come."""
    return problem_of(request, BadBody.because("ended in the middle"))


@api.exception_handler(SuspiciousOperation)
def on_unreadable(request: HttpRequest, error: SuspiciousOperation) -> HttpResponse:
    """Django refuses to read it, for example a form with too many fields."""
    return problem_of(request, BadBody.because("cannot be read"))


@api.exception_handler(MultiPartParserError)
def on_unreadable_form(request: HttpRequest, error: MultiPartParserError) -> HttpResponse:
    """A form without its boundary, or with a part whose head is too long."""
    return problem_of(request, BadBody.because(f"is not a form: {str(error)[:120]}"))


@api.exception_handler(DataError)
def on_data_error(request: HttpRequest, error: DataError) -> HttpResponse:
    """The net below every check: a value that its column cannot hold. The database's words may quote it."""
    log.warning("%s %s: DataError", request.method, route_of(request))
    return problem_of(request, InvalidInput("a value cannot be stored"))


@api.exception_handler(Exception)
def on_fault(request: HttpRequest, error: Exception) -> HttpResponse:
    """A fault of ours: logged, and told without its insides."""
    log.exception("%s %s", request.method, route_of(request))
    return problem(request, 500, "internal", "something went wrong here; the request id finds it in the log")


def _path(location: tuple[str | int, ...]) -> str:
    if location[:1] == ("body",):
        parts = location[2:]  # the framework names the body after the function's parameter
    else:
        parts = location[1:] if location and location[0] in ("query", "path", "form", "file") else location
    return ".".join(str(part) for part in parts) or "body"


openai = RestApi(urls_namespace="openai", docs_url=None, openapi_url=None, parser=EdgeParser())
for _kind, _handler in api._exception_handlers.items():
    openai.add_exception_handler(_kind, _handler)
establish(openai)
openai.add_router("", gateway_router)
openai.add_router("", openai_files_router)
openai.add_router("", fine_tuning_router)
api.beside = (openai,)
establish(api)
api.add_router("/jobs", jobs_router)
api.add_router("/audit", audit_router)
api.add_router("/privacy", privacy_router)
api.add_router("/webhooks", webhooks_router)
api.add_router("/files/uploads", pieces_router)
api.add_router("/files", files_router)
api.add_router("/usage", usage_router)
for _prefix, _accounts in ACCOUNTS.items():
    api.add_router(_prefix, _accounts)
api.add_router("", upload_router)  # these three before `/adapters/{reference}`
api.add_router("", adaptation_router)
api.add_router("/continual", continual_router)
api.add_router("", base_training_router)
api.add_router("", grant_router)
api.add_router("/datasets", dataset_router)
api.add_router("", registry_router)
api.add_router("", base_router)
api.add_router("", evaluation_router)
api.add_router("", alias_router)
for _name, _vertical in settings.VERTICALS.items():
    api.add_router(f"/{_name}", import_string(_vertical.router))
