"""The API's reference page, made from its OpenAPI schema: no script or style from elsewhere, as the policy asks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI
from ninja.openapi.docs import DocsBase

from rootstock.openapi import RestApi

MAX_DEPTH = 3
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches {}",
}


@dataclass(slots=True, frozen=True)
class Field:
    """One parameter or one field of a body; the fields of nested objects have dotted names."""

    name: str
    type: str
    required: bool
    note: str


@dataclass(slots=True, frozen=True)
class Body:
    """What is sent or comes back: the status of a response, the media type, the fields."""

    title: str
    media: str
    shape: str
    fields: list[Field]


@dataclass(slots=True, frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    text: str
    scope: str
    parameters: list[Field]
    bodies: list[Body]
    responses: list[Body]

    @property
    def anchor(self) -> str:
        """Where the page shows it."""
        return f"{self.method}-{self.path}".lower().translate(str.maketrans("/{}", "-  ")).replace(" ", "")


@dataclass(slots=True, frozen=True)
class Section:
    """The operations of one tag."""

    name: str
    operations: list[Operation] = field(default_factory=list)

    @property
    def label(self) -> str:
        """A vertical's own name where the tag is one."""
        vertical = settings.VERTICALS.get(self.name)
        return vertical.label if vertical else self.name.capitalize()


class Reference:
    """Reads an OpenAPI document."""

    def __init__(self, schema: dict[str, Any], scopes: dict[str, str]) -> None:
        self._schema = schema
        self._scopes = scopes

    def sections(self) -> list[Section]:
        """All operations by their first tag, in the order of the document."""
        found: dict[str, Section] = {}
        for path, methods in self._schema["paths"].items():
            for method, operation in methods.items():
                tag = operation.get("tags", ["other"])[0]
                found.setdefault(tag, Section(tag)).operations.append(
                    self._operation(path, method, operation)
                )
        return list(found.values())

    def _operation(self, path: str, method: str, raw: dict[str, Any]) -> Operation:
        sent = raw.get("requestBody", {}).get("content", {})
        return Operation(
            method=method.upper(),
            path=path,
            text=raw.get("description") or raw.get("summary", ""),
            scope=self._scopes.get(raw.get("operationId", ""), ""),
            parameters=[self._parameter(one) for one in raw.get("parameters", [])],
            bodies=[self._body("Body", media, content) for media, content in sent.items()],
            responses=list(self._responses(raw.get("responses", {}))),
        )

    def _parameter(self, raw: dict[str, Any]) -> Field:
        schema = self._resolved(raw.get("schema", {}))
        note = ", ".join(
            part for part in (f"in the {raw['in']}", raw.get("description"), _bounds(schema)) if part
        )
        return Field(raw["name"], self._type(schema), raw.get("required", False), note)

    def _responses(self, raw: dict[Any, Any]) -> Iterator[Body]:
        for status, response in raw.items():
            if "$ref" in response:  # what every operation may answer: told once, at the top
                continue
            content = response.get("content") or {"": {}}
            for media, one in content.items():
                yield self._body(f"{status} {response.get('description', '')}".strip(), media, one)

    def _body(self, title: str, media: str, content: dict[str, Any]) -> Body:
        schema = self._resolved(content.get("schema", {}))
        return Body(title, media, self._type(schema) if schema else "", list(self._fields(schema)))

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        reference = schema.get("$ref", "")
        if not reference:
            return schema
        found: Any = self._schema
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        return dict(found)

    def _choices(self, schema: dict[str, Any]) -> list[dict[str, Any]]:
        """The alternatives of a schema, without null."""
        raw = schema.get("anyOf") or schema.get("oneOf") or [schema]
        return [one for one in map(self._resolved, raw) if one.get("type") != "null"]

    def _type(self, schema: dict[str, Any]) -> str:
        names: list[str] = []
        for one in self._choices(self._resolved(schema)):
            name = self._single_type(one)
            names += [name] if name not in names else []
        return " or ".join(names) or "anything"

    def _single_type(self, schema: dict[str, Any]) -> str:
        if "enum" in schema or "const" in schema:
            return " | ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
        if schema.get("type") == "array":
            return f"list of {self._type(schema.get('items', {}))}"
        return str(
            schema.get("format") or schema.get("title" if "properties" in schema else "type") or "anything"
        )

    def _fields(self, schema: dict[str, Any], prefix: str = "", depth: int = 0) -> Iterator[Field]:
        if depth == MAX_DEPTH:
            return
        # Alternatives such as "one payment or a list of them" have the same fields: the first with any is told.
        described = next((one for one in map(self._object, self._choices(schema)) if one), {})
        required = described.get("required", [])
        for name, raw in described.get("properties", {}).items():
            inner = self._resolved(raw)
            note = ", ".join(part for part in (raw.get("description"), _bounds(inner), _default(raw)) if part)
            yield Field(f"{prefix}{name}", self._type(inner), name in required, note)
            yield from self._fields(inner, f"{prefix}{name}.", depth + 1)

    def _object(self, schema: dict[str, Any]) -> dict[str, Any]:
        if schema.get("type") == "array":
            return next((one for one in map(self._object, self._choices(schema.get("items", {}))) if one), {})
        resolved = self._resolved(schema)
        return resolved if "properties" in resolved else {}


def _bounds(schema: dict[str, Any]) -> str:
    alternatives = [schema, *schema.get("anyOf", [])]
    told = [text.format(one[name]) for one in alternatives for name, text in _BOUNDS.items() if name in one]
    return ", ".join(told)


def _default(schema: dict[str, Any]) -> str:
    value = schema.get("default")
    return f"default {value}" if value not in (None, "", [], {}) else ""


def scopes_of(api: RestApi) -> dict[str, str]:
    """Operation id -> the scope that it asks for."""
    return {
        name: next((getattr(auth, "scope", "") for auth in operation.auth_callbacks), "")
        for name, operation in api.operations().items()
    }


class ReferencePage(DocsBase):
    """django-ninja's docs hook: the reference inside the console's shell."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        """The page."""
        schema = api.get_openapi_schema(path_params=kwargs or None)
        context = {
            "sections": Reference(schema, scopes_of(cast(RestApi, api))).sections(),
            "description": schema["info"].get("description", ""),
            "openapi_url": self.get_openapi_url(api, kwargs),
            "origin": f"{request.scheme}://{request.get_host()}",
        }
        return render(request, "console/reference.html", context)
