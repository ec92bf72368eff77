"""An example for every body and answer of the OpenAPI document, made from its schema.

An endpoint's own example, or a field's, wins; otherwise a field's name, its format and its bounds say what is likely.
"""

from collections.abc import Iterator
from typing import Any

_DEPTH = 8
_FORMATS = {
    "uuid": "01930b5e-7c1a-7d3e-9f00-4a5b6c7d8e9f",
    "date-time": "2026-03-02T08:00:00Z",
    "date": "2026-03-02",
    "time": "08:00:00",
    "uri": "https://bank.example/hooks",
    "email": "ana@bank.example",
    "binary": "(bytes)",
}
_NAMES: dict[str, Any] = {
    "external_id": "p-1",
    "payer": "DE-1",
    "payee": "shop-9",
    "amount": "49.90",
    "currency": "EUR",
    "channel": "card",
    "url": "https://bank.example/hooks/rootstock",
    "email": "ana@bank.example",
    "name": "nightly",
    "text": "Where is my parcel?",
    "subject": "A late parcel",
    "fingerprint": "9c1b2f4e8a7d6c5b",
    "sha256": "a3f5" * 16,
    "digest": "a3f5" * 16,
    "reference": "support-tone@a3f5a3f5a3f5",
    "adapter": "support-tone@a3f5a3f5a3f5",
    "alias": "support-tone:production",
    "dataset": "frozen-answers",
    "source": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "columns": '{"text": "body", "label": "intent"}',
    "limits": "Not for medical questions",
    "to": "other-bank",
    "from_organisation": "other-bank",
    "granted_by": "person:7",
    "made_by": "person:7",
    "created_by": "person:7",
    "brought_by": "person:7",
    "approved_by": "person:9",
    "approver": "person:9",
    "requester": "person:7",
    "parent": "support-tone@7b21c09e44d0",
    "dataset_sha256": "d5d5" * 16,
    "collection": "desk-answers",
    "check": "fit",
    "version": "support-tone@a3f5a3f5a3f5",
    "current": "support-tone@a3f5a3f5a3f5",
    "canary": "support-tone@7b21c09e44d0",
    "shadow": "support-tone@7b21c09e44d0",
    "before": "support-tone@7b21c09e44d0",
    "after": "support-tone@a3f5a3f5a3f5",
    "change": "serve",
    "move": "serve",
    "origin": "uploaded",
    "keep": "warm",
    "because": "It answers better on the frozen set",
    "retired_because": "",
    "names": "support-tone",
    "fine_tuned_model": "support-tone@a3f5a3f5a3f5",
    "fine_tuned_model_checkpoint": "support-tone@a3f5a3f5a3f5",
    "fine_tuning_job_id": "ftjob-01930b5e7c1a7d3e9f004a5b6c7d8e9f",
    "start_from": "support-tone@a3f5a3f5a3f5",
    "training_file": "file-01930b5e7c1a7d3e9f004a5b6c7d8e9f",
    "validation_file": "file-01930b5e7c1a7d3e9f004a5b6c7d8e9f",
    "result_files": "file-01930b5e7c1a7d3e9f004a5b6c7d8e9f",
    "first_id": "file-01930b5e7c1a7d3e9f004a5b6c7d8e9f",
    "last_id": "file-01930b5e7c1a7d3e9f004a5b6c7d8e9f",
    "organization_id": "01930b5e-7c1a-7d3e-9f00-4a5b6c7d8e9f",
    "status_details": "holds a script",
    "param": "training_file",
    "filename": "answers.jsonl",
    "cron": "0 3 * * *",
    "timezone": "Europe/Berlin",
    # what identifies
    "id": "01930b5e-7c1a-7d3e-9f00-4a5b6c7d8e9f",
    "request_id": "18ea71ebf691de6300000000d9740d71",
    "message_id": "01930b5e-7c1a-7d3e-9f00-4a5b6c7d8e9f",
    "prefix": "k3v9x2m7q4ta",
    "client_id": "rs-k3v9x2m7q4ta",
    "slug": "acme",
    "username": "ana",
    "customer": "C-1029",
    "identifier": "DE-1",
    "object_id": "01930b5e-7c1a-7d3e-9f00-4a5b6c7d8e9f",
    "subject_id": "01930b5e-7c1a-7d3e-9f00-4a5b6c7d8e9f",
    "base": "smollm2-135m-instruct",
    "model": "fraud-network@5b1d7c0a9e3f",
    "base_fingerprint": "9c1b2f4e8a7d6c5b",
    # secrets, made up
    "token": "rsk_k3v9x2m7q4ta_9d2f61c07b",
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "client_secret": "9d2f61c07b4e8a1d",
    "signature": "yc9Yq0fZ0m4=",
    "public_key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "algorithm": "Ed25519",
    # digests
    "hash": "a3f5" * 16,
    "previous": "a3f5" * 16,
    "merkle": "a3f5" * 16,
    "root_hash": "a3f5" * 16,
    "last_hash": "a3f5" * 16,
    "input_hash": "a3f5" * 16,
    "model_digest": "a3f5" * 16,
    "adapter_digest": "a3f5" * 16,
    "archive_sha256": "a3f5" * 16,
    # one of a few words
    "role": "auditor",
    "scopes": "fraud:read",
    "events": "job.succeeded",
    "event_type": "job.succeeded",
    "state": "succeeded",
    "last_state": "succeeded",
    "kind": "adapters.train",
    "type": "job.succeeded",
    "priority": "normal",
    "purpose": "attachment",
    "action": "confirmed",
    "outcome": "review",
    "vertical": "fraud",
    "task": "chat",
    "band": "high",
    "sex": "female",
    "subject_type": "payment",
    "object_type": "job",
    "ground": "request",
    "finish_reason": "stop",
    "last_emotion": "gratitude",
    "last_group": "positive",
    "content_type": "application/json",
    "licence": "CC-BY-4.0",
    # words for people
    "label": "Train an adapter",
    "title": "Invalid input",
    "message": "step 120 of 400",
    "reason": "The customer confirmed the payment by telephone.",
    "disabled_reason": "switched off by a member",
    "note": "Asked for by letter of 2 March.",
    "description": "Nightly check of the trail",
    "advice": "Nothing to do: it is tried again by itself.",
    "kept": "Payments that have a decision keep it.",
    "greeting": "Hello, how can we help?",
    "system_prompt": "You answer for Acme's help desk.",
    "requested_by": "ana",
    "decided_by": "ben",
    "link": "https://rootstock.example/join/5wq0…",
    "stream_url": "/api/v1/support/streams/01930b5e7c1a7d3e9f004a5b6c7d8e9f",
    "last_error": "HTTP 503",
    "what": "notes",
    "system": "http://loinc.org",
    "code": "718-7",
    "display": "Haemoglobin",
    "unit": "g/dL",
    "value": "13.2",
    "text_value": "negative",
    "resource": "Observation/718-7",
    "excerpt": "Haemoglobin 13.2 g/dL",
}
_NUMBERS = {
    "rate_per_minute": 600,
    "session_hours": 12,
    "archive_days": 7,
    "context_tokens": 1024,
    "answer_tokens": 256,
}
_LATER = "2031-03-02T08:00:00Z"  # of what must lie ahead


class Examples:
    """Fills one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def fill(self) -> None:
        """Give each body and answer that has a schema and no example one."""
        for content in self._contents():
            if "schema" in content and "example" not in content and "examples" not in content:
                content["example"] = self.of(content["schema"])

    def of(self, schema: dict[str, Any], name: str = "", depth: int = 0) -> Any:
        """A value that fits the schema."""
        schema = self._resolved(schema)
        if "example" in schema:
            return schema["example"]
        if schema.get("examples"):
            return schema["examples"][0]
        if "const" in schema or "enum" in schema:
            return schema.get("const", (schema.get("enum") or [None])[0])
        for key in ("anyOf", "oneOf", "allOf"):
            if key in schema:
                return self.of(self._likely(schema[key]), name, depth)
        return self._plain(schema, name, depth)

    def _plain(self, schema: dict[str, Any], name: str, depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "")
        if kind == "object":
            shown = {} if depth > _DEPTH else schema.get("properties", {})
            return {key: self.of(inner, key, depth + 1) for key, inner in shown.items()}
        if kind == "array":
            return (
                [] if depth > _DEPTH or "items" not in schema else [self.of(schema["items"], name, depth + 1)]
            )
        if kind in ("integer", "number"):
            return _NUMBERS.get(name) or _number(schema, whole=kind == "integer")
        if kind == "boolean":
            return bool(schema.get("default", True))
        return _text(schema, name) if kind == "string" else None if kind == "null" else {}

    def _likely(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """The first that is not null."""
        return next((one for one in choices if one.get("type") != "null"), choices[0])

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            found: Any = self._document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        return schema

    def _contents(self) -> Iterator[dict[str, Any]]:
        for methods in self._document["paths"].values():
            for operation in methods.values():
                yield from operation.get("requestBody", {}).get("content", {}).values()
                for response in operation["responses"].values():
                    yield from response.get("content", {}).values()


def _number(schema: dict[str, Any], *, whole: bool) -> float | int:
    wanted = schema.get("default")
    if not isinstance(wanted, int | float):
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        wanted = max(low + (1 if "exclusiveMinimum" in schema else 0), 1 if low <= 1 else low)
        most = schema.get("maximum", schema.get("exclusiveMaximum"))
        if most is not None and wanted > most - ("exclusiveMaximum" in schema):
            wanted = (low + most) / 2
    return int(wanted) if whole else wanted


def _text(schema: dict[str, Any], name: str) -> str:
    if schema.get("format") == "date-time" and name in ("expires_at", "old_until"):
        return _LATER
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    if schema.get("default"):
        return str(schema["default"])
    if name in _NAMES and "pattern" not in schema:
        return str(_NAMES[name])[: schema.get("maxLength", 200)]
    if "pattern" in schema:  # pydantic's decimals
        return str(_NAMES.get(name, "1"))
    return (name.replace("_", " ") or "text")[: schema.get("maxLength", 200)].ljust(
        schema.get("minLength", 0), "x"
    )
