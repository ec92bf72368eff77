"""Which field of a body a validation error is about, in the caller's words: pydantic's paths also name the branches of
unions, and tell of each branch why the value was not of it.
"""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError
from django.http.request import RawPostDataException

Location = tuple[str | int, ...]
_OTHER_TYPE = ("_type", "_parsing", "literal_error")


@dataclass(slots=True, frozen=True)
class _Problem:
    path: Location
    branches: list[tuple[Location, str | int]]  # of each union on the way: where it is, and which
    told: dict[str, Any]

    @property
    def is_of_other_type(self) -> bool:
        """Whether the value is of another type than the branch takes."""
        return str(self.told.get("type", "")).endswith(_OTHER_TYPE)


def named(errors: list[dict[str, Any]], request: HttpRequest) -> list[tuple[Location, dict[str, Any]]]:
    """Errors by their path in the body; of a union those of the branch that the value comes nearest to."""
    body = _body(request)
    found = [_problem(error, body) for error in errors]
    wrong = Counter(branch for one in found if one.is_of_other_type for branch in one.branches)
    near = {branch: (wrong[branch], -len(one.path)) for one in found for branch in one.branches}
    best: dict[Location, tuple[Location, str | int]] = {}
    for branch in near:
        best[branch[0]] = min(best.get(branch[0], branch), branch, key=near.__getitem__)
    return [
        (one.path, one.told) for one in found if all(best[branch[0]] == branch for branch in one.branches)
    ]


def _problem(error: dict[str, Any], body: Any) -> _Problem:
    location: Location = tuple(error["loc"])
    if body is None or len(location) < 3 or location[0] != "body":
        return _Problem(location, [], error)
    path, value, branches = list(location[:2]), body, []
    for at, part in enumerate(location[2:], start=3):
        if _leads_on(value, part, is_last=at == len(location)):
            path.append(part)
            value = _within(value, part)
        else:
            branches.append((tuple(path), part))
    return _Problem(tuple(path), branches, error)


def _leads_on(value: Any, part: str | int, *, is_last: bool) -> bool:
    """Whether a part of a path names something in the value, or something that is missing there."""
    if isinstance(value, dict):
        return part in value or (is_last and str(part).isidentifier())
    return isinstance(value, list) and isinstance(part, int)


def _within(value: Any, part: Any) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    return value[part] if part < len(value) else None


def _body(request: HttpRequest) -> Any:
    try:
        return json.loads(request.body)
    except (ValueError, RawPostDataException, RequestDataTooBig, UnreadablePostError, RecursionError):
        return None
