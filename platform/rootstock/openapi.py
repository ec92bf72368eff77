"""The OpenAPI document, completed: what django-ninja reads off the endpoints, and what holds for all of them."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from rootstock.accounts.roles import SCOPES
from rootstock.conventions import JSON, deprecation_of
from rootstock.idempotency.edge import HEADER, METHODS
from rootstock.openai_errors import OPENAI_PREFIX
from rootstock.openapi_examples import Examples

TAGS = {
    "fraud": "Score payments one by one, in lists or as a batch job; decisions with their reasons.",
    "fraud rules": "Rules and lists of payments: versions, their trial on history, who agreed, what is in force.",
    "ehr": "Import FHIR R4 Bundles; patients, timelines, de-identified notes and scores.",
    "support": "Hold conversations, streamed answers, the emotion of each turn.",
    "models": "Chat, completions and embeddings as OpenAI's clients know them, over the base and any adapter.",
    "adapters": "Base models, adapters and their training.",
    "bases": "Base models that are served here, and those that were trained or distilled here.",
    "datasets": "Examples to train on and to measure by: uploads, reports, versions, contents.",
    "fine-tuning": "Files and fine-tuning jobs as OpenAI's clients know them; the same trainings.",
    "continual": "What aliases learn by the clock from newly labelled data, with a forgetting report for each run.",
    "aliases": "Names that move from one adapter's version to the next: promotions, canaries, shadows, roll-back.",
    "jobs": "Background work: state, events, files, schedules.",
    "files": "Uploads: checked, hashed, scanned, quarantined.",
    "usage": "What was used of the models, by day, caller and model; the budget.",
    "people": "Members of the organisation, their roles, invitations.",
    "keys": "API keys and machine clients.",
    "organisation": "The organisation's own settings, and who is calling.",
    "audit": "The audit trail, its roots, and the record of every decision.",
    "privacy": "Retention, export of a person's data, erasure.",
    "webhooks": "Events sent to addresses of yours, signed, with their deliveries.",
}
_TYPED = {JSON, "application/xml"}
"""Bodies that are refused under another type. Of uploads it is the form that says what they are."""
_ERRORS = {
    400: "The request cannot be read.",
    401: "No valid key, token or session came with it.",
    403: "The caller may not do this; the scope that is missing is named.",
    404: "There is no such thing, or it belongs to another organisation.",
    405: "The method is not possible here.",
    409: "It contradicts what is stored, or the first request with this Idempotency-Key is still at work.",
    413: "It is larger than this server takes.",
    422: "A field is wrong; `errors` names each by its path.",
    429: "The caller's rate or the budget is used up, or a queue is full. Wait for `Retry-After` seconds.",
    500: "A fault of ours, in the log under the request id.",
    503: "No worker serves this now, or a service behind is away. Wait for `Retry-After` seconds.",
    504: "The worker did not answer in time.",
}
_FURTHER = {  # of the endpoints that name them
    410: "It was there, and its time is over.",
    412: "Another version of the protocol is spoken here.",
    415: "The body is of another type than this endpoint takes.",
    460: "Other bytes came than the checksum is of.",
}
_HEADERS = {
    "RateLimit-Policy": 'How many requests a minute the caller may make, as `"key";q=6000;w=60`.',
    "RateLimit": 'How many are left, and the seconds until all are there again, as `"key";r=5999;t=1`.',
    "X-Request-Id": "The id of this request in every log; the caller's own where it sent one.",
}
_PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "An error as RFC 9457 describes it.",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "A URN of the code"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "What programs should tell errors apart by"},
        "detail": {"type": "string"},
        "request_id": {"type": ["string", "null"]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {
                    "field": {"type": "string"},
                    "reason": {"type": "string"},
                    "position": {"type": "integer", "description": "In an expression: the character, from 1"},
                },
            },
        },
    },
}
_EXAMPLE = {
    "type": "urn:rootstock:problem:invalid_input",
    "title": "Invalid input",
    "status": 422,
    "code": "invalid_input",
    "detail": "transactions.3.amount: Input should be greater than 0",
    "request_id": "0190b0e7f0a27c5c8f7e4d1a2b3c4d5e",
    "errors": [{"field": "transactions.3.amount", "reason": "Input should be greater than 0"}],
}


class RestApi(NinjaAPI):
    """django-ninja's API with the completed document, which is made once: endpoints do not change while we run."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """The document."""
        if self._completed is None:
            self._completed = self._complete(path_prefix)
        return self._completed

    _completed: OpenAPISchema | None = None
    beside: "tuple[RestApi, ...]" = ()  # served elsewhere, and told in the same document

    def operations(self) -> dict[str, Operation]:
        """Every operation by its id, those of the APIs beside this one too."""
        own = {
            operation.operation_id or self.get_openapi_operation_id(operation): operation
            for bound in self._get_bound_routers()
            for view in bound.path_operations.values()
            for operation in view.operations
        }
        return own | {name: each for other in self.beside for name, each in other.operations().items()}

    def _complete(self, path_prefix: str | None) -> OpenAPISchema:
        document, operations = super().get_openapi_schema(path_prefix=path_prefix), self.operations()
        for other in self.beside:
            further = NinjaAPI.get_openapi_schema(other)
            document["paths"] |= further["paths"]
            document["components"]["schemas"] |= further["components"]["schemas"]
        _components(document)
        used = []
        for path, methods in document["paths"].items():
            for method, described in methods.items():
                operation = operations[described["operationId"]]
                scope = next((getattr(auth, "scope", "") for auth in operation.auth_callbacks), "")
                _complete(described, path, method.upper(), scope, guarded=bool(operation.auth_callbacks))
                if deprecation_of(operation):
                    described["deprecated"] = True
                used += [tag for tag in described.get("tags", []) if tag not in used]
        document["tags"] = [{"name": tag, "description": TAGS.get(tag, tag)} for tag in used]
        Examples(document).fill()
        return document


def _components(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    components["headers"] = {
        name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()
    }
    components["responses"] = {
        f"Problem{status}": _problem(status, text) for status, text in (_ERRORS | _FURTHER).items()
    }
    components["securitySchemes"] = {
        "ApiKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key: `Authorization: Bearer rsk_…`",
        },
        "OAuth2": {
            "type": "oauth2",
            "description": "Machine clients: client credentials for a token of an hour",
            "flows": {
                "clientCredentials": {"tokenUrl": _origin() + reverse("oauth-token"), "scopes": SCOPES}
            },
        },
        "Session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "A signed-in person; what changes something needs the CSRF token as `X-CSRFToken` too",
        },
    }


def _origin() -> str:
    """The document needs whole addresses, and is the same for whoever asks."""
    return settings.CSRF_TRUSTED_ORIGINS[0] if settings.CSRF_TRUSTED_ORIGINS else "http://127.0.0.1:8000"


def _problem(status: int, text: str) -> dict[str, Any]:
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": {**_EXAMPLE, "status": status}}
    headers = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
    if status in (409, 429, 503, 504):
        headers["Retry-After"] = {"description": "Seconds", "schema": {"type": "integer"}}  # type: ignore[dict-item]
    return {"description": text, "headers": headers, "content": {"application/problem+json": content}}


def _complete(described: dict[str, Any], path: str, method: str, scope: str, *, guarded: bool) -> None:
    description = described.get("description", "").strip()
    if description:
        described["summary"] = description.split("\n")[0].split(". ")[0].rstrip(".")
    if guarded:
        wanted = [scope] if scope else []
        described["security"] = [{"ApiKey": []}, {"OAuth2": wanted}, {"Session": []}]
        described["description"] = description + (f"\n\nNeeds the scope `{scope}`." if scope else "")
    if method in METHODS and not any(one["name"] == HEADER for one in described["parameters"]):
        described["parameters"].append(
            {
                "in": "header",
                "name": HEADER,
                "required": False,
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
                "description": "Sent again with the same key within 24 hours, the request is answered and not repeated",
            }
        )
    if _TYPED & described.get("requestBody", {}).get("content", {}).keys():
        described["responses"].setdefault(415, {"$ref": "#/components/responses/Problem415"})
    _answers(described["responses"], method, path)
    _streamed(
        described["responses"],
        "text/event-stream" if path.endswith("/stream") else "application/octet-stream",
    )


def _answers(responses: dict[Any, Any], method: str, path: str) -> None:
    for status, response in responses.items():
        if int(status) < 300:
            response.setdefault("headers", {}).update(
                {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
            )
    for status in _ERRORS:
        if status == 422 and path.startswith(OPENAI_PREFIX):
            continue  # a wrong field is 400 there
        if status != 413 or method in METHODS:
            responses.setdefault(status, {"$ref": f"#/components/responses/Problem{status}"})


def _streamed(responses: dict[Any, Any], media: str) -> None:
    """What is sent as it is read has no schema on its endpoint: events, or a file."""
    for status in (200, "200"):
        if status in responses and "content" not in responses[status]:
            responses[status]["content"] = {media: {"schema": {"type": "string", "format": "binary"}}}
