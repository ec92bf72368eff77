"""Errors under /v1 as OpenAI's clients read them: an `error` object within the problem, and 400 for a wrong field."""

import json
from typing import Any

OPENAI_PREFIX = "/v1/"
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
_CODES = {
    "unauthorized": "invalid_api_key",
    "budget_spent": "insufficient_quota",
    "busy": "rate_limit_exceeded",
}


def with_openai_error(problem: dict[str, Any]) -> dict[str, Any]:
    """The problem with OpenAI's error in it. Their clients know 400 as the status of a wrong field."""
    status = 400 if problem["status"] == 422 else problem["status"]
    return problem | {"status": status, "error": openai_error(problem | {"status": status})}


def openai_error(problem: dict[str, Any]) -> dict[str, Any]:
    """`message`, `type`, `param`, `code` of a problem."""
    status, errors = problem.get("status", 500), problem.get("errors") or []
    return {
        "message": problem["detail"],
        "type": _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error"),
        "param": errors[0]["field"] if errors else None,
        "code": _CODES.get(problem["code"], problem["code"]),
    }


def error_event(status: int, told: dict[str, Any]) -> bytes:
    """An error in the middle of a stream, where no status can be sent any more."""
    return f"data: {json.dumps({'error': openai_error(told | {'status': status})})}\n\n".encode()
