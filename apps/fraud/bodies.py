"""Bodies that hold one thing or a list of them, with the path of whatever is wrong."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from rootstock.edge import MAX_PROBLEMS, dotted, json_of
from rootstock.errors import FieldProblem, InvalidInput

S = TypeVar("S", bound=BaseModel)


class OneOrMany(Generic[S]):
    """Reads one `schema`, or a list of 1 to `most`; `name` is what the list is called in paths."""

    def __init__(self, schema: type[S], name: str, most: int, beyond: str = "") -> None:
        self._schema, self._name, self._most, self._beyond = schema, name, most, beyond
        self._many = TypeAdapter(list[schema])  # type: ignore[valid-type]

    def openapi(self) -> dict[str, Any]:
        """For `openapi_extra`: ninja does not see a body that is read here."""
        one = self._schema.model_json_schema()
        many = {"type": "array", "minItems": 1, "maxItems": self._most, "items": one}
        content = {"application/json": {"schema": {"oneOf": [one, many]}}}
        return {"requestBody": {"required": True, "content": content}}

    def read(self, body: bytes) -> tuple[list[S], bool]:
        """What was sent, and whether it was a list. Raises BadBody and InvalidInput."""
        data = json_of(body, self._path)
        many = isinstance(data, list)
        if many and not 1 <= len(data) <= self._most:
            raise InvalidInput.field(self._name, f"must hold 1 to {self._most:,} {self._name}{self._beyond}")
        try:
            return (self._many.validate_python(data) if many else [self._schema.model_validate(data)]), many
        except ValidationError as error:
            raise _refusal(error, (self._name,) if many else ()) from None

    def _path(self, path: str, part: str | int) -> str:
        return dotted(path or (self._name if isinstance(part, int) else ""), part)


def _refusal(error: ValidationError, prefix: tuple[str, ...]) -> InvalidInput:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    problems = [
        FieldProblem(".".join(map(str, (*prefix, *one["loc"]))) or "body", _reason(one["type"], one["msg"]))
        for one in found[:MAX_PROBLEMS]
    ]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return InvalidInput(f"{problems[0].field}: {problems[0].reason}{more}", errors=problems)


def _reason(kind: str, said: str) -> str:
    return "must be a JSON object" if kind == "model_type" else said.removeprefix("Value error, ")
