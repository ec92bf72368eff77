"""The one domain error, and its form on the wire: problem+json (RFC 9457).

Services raise `DomainError`; the API, the pages and the tasks all map it here. Retry decisions read `.permanent`.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import redis
from botocore.exceptions import BotoCoreError, ClientError
from django.db import OperationalError
from django.http import HttpRequest, JsonResponse
from psycopg_pool import PoolTimeout

from rootstock.openai_errors import OPENAI_PREFIX, with_openai_error

log = logging.getLogger(__name__)


@dataclass(slots=True, frozen=True)
class FieldProblem:
    """What is wrong with one field; `field` is a dotted path such as `transactions.3.amount`."""

    field: str
    reason: str


class DomainError(Exception):
    """Something a caller can act on. `permanent` says that the same call cannot succeed later."""

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 400
    permanent: ClassVar[bool] = True

    def __init__(
        self, detail: str, *, errors: Sequence[FieldProblem] = (), retry_after: float | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = list(errors)
        self.retry_after = retry_after

    def as_dict(self) -> dict[str, Any]:
        """The error as plain data, for a lane's reply or a job's row."""
        return {"code": self.code, "detail": self.detail, "errors": [asdict(e) for e in self.errors]}


class InvalidInput(DomainError):
    """The request is understood and refused: a field is wrong."""

    code = "invalid_input"
    http_status = 422

    @classmethod
    def field(cls, field: str, reason: str) -> Self:
        """One field is wrong."""
        return cls(f"{field}: {reason}", errors=[FieldProblem(field, reason)])


class ContextExceeded(InvalidInput):
    """What a model is to read is longer than its context."""

    code = "context_length_exceeded"


class BadBody(DomainError):
    """The body cannot be read at all."""

    code = "bad_request"
    http_status = 400

    @classmethod
    def because(cls, reason: str) -> "BadBody":
        """What is wrong with the body."""
        return cls(f"body: {reason}", errors=[FieldProblem("body", reason)])


class OtherType(DomainError):
    """The body is of another type than is taken here."""

    code = "unsupported_media_type"
    http_status = 415

    @classmethod
    def than(cls, wanted: str) -> "OtherType":
        """What type it must be."""
        problem = FieldProblem("Content-Type", f"must be {wanted}")
        return cls(f"Content-Type: {problem.reason}", errors=[problem])


class TooLarge(DomainError):
    """The request is larger than this server takes."""

    code = "too_large"
    http_status = 413


class Unauthorized(DomainError):
    """No valid credentials came with the request."""

    code = "unauthorized"
    http_status = 401


class Forbidden(DomainError):
    """The caller is known and may not do this."""

    code = "forbidden"
    http_status = 403


class NotFound(DomainError):
    """There is no such thing, or it belongs to another organisation."""

    code = "not_found"
    http_status = 404


class Conflict(DomainError):
    """The request contradicts what is stored."""

    code = "conflict"
    http_status = 409


class Gone(DomainError):
    """It was there, and its time is over."""

    code = "gone"
    http_status = 410


class Busy(DomainError):
    """A queue is full; try again after `retry_after` seconds."""

    code = "busy"
    http_status = 429
    permanent = False


class Unavailable(DomainError):
    """No worker serves this now."""

    code = "unavailable"
    http_status = 503
    permanent = False


STORAGE_AWAY = (BotoCoreError, ClientError)  # the bucket of the files does not answer, or refuses
AWAY = (
    OperationalError,
    PoolTimeout,
    redis.RedisError,
    *STORAGE_AWAY,
)  # what stands behind us does not answer


def unavailable(error: BaseException) -> Unavailable:
    """What a caller is told of one of AWAY; the log has its class (of a bucket its code), and nobody its message."""
    refusal = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    log.warning("a service is away: %s", f"{name} {refusal}" if refusal else name)
    return Unavailable("a service behind this one is away for a moment", retry_after=2)


class DeadlineExceeded(DomainError):
    """The worker did not answer in time."""

    code = "deadline_exceeded"
    http_status = 504
    permanent = False


class InternalError(DomainError):
    """A fault of ours, already logged with the request id."""

    code = "internal"
    http_status = 500
    permanent = False


_BY_CODE: dict[str, type[DomainError]] = {
    kind.code: kind
    for kind in (
        InvalidInput, ContextExceeded, BadBody, TooLarge, Unauthorized, Forbidden, NotFound, Conflict, Busy,
        Unavailable, DeadlineExceeded, InternalError,
    )
}  # fmt: skip


def from_dict(data: dict[str, Any]) -> DomainError:
    """The inverse of `DomainError.as_dict`; an unknown code becomes an internal error."""
    kind = _BY_CODE.get(data.get("code", ""), InternalError)
    return kind(data.get("detail", ""), errors=[FieldProblem(**e) for e in data.get("errors", [])])


def problem(
    request: HttpRequest, status: int, code: str, detail: str, errors: Sequence[FieldProblem] = ()
) -> JsonResponse:
    """An `application/problem+json` response."""
    body: dict[str, Any] = {
        "type": f"urn:rootstock:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": getattr(request, "request_id", None),
    }
    if errors:
        body["errors"] = [asdict(e) for e in errors]
    if request.path_info.startswith(OPENAI_PREFIX):
        body = with_openai_error(body)
    return JsonResponse(body, status=body["status"], content_type="application/problem+json")


def problem_of(request: HttpRequest, error: DomainError) -> JsonResponse:
    """The response for a domain error, with Retry-After where the caller should wait."""
    response = problem(request, error.http_status, error.code, error.detail, error.errors)
    if error.retry_after is not None:
        response["Retry-After"] = str(max(1, round(error.retry_after)))
    if error.http_status == 429 and error.permanent:
        response["x-should-retry"] = "false"  # OpenAI's clients would try a spent budget again and again
    if error.http_status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response
