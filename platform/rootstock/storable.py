"""Which strings PostgreSQL cannot store: those with a NUL or half of a surrogate pair. JSON can spell both."""

import re
from collections.abc import Callable, Iterator
from typing import Any

REASON = "holds a NUL character or half of a surrogate pair, which cannot be stored"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# Of UTF-8 without control characters only these escapes can spell one.
MAY_SPELL_ONE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")

Join = Callable[[str, str | int], str]
Wrong = Callable[[Any], bool]
Entries = Iterator[tuple[str | int, Any]]


def dotted(path: str, part: str | int) -> str:
    """`transactions.3.payer`: how the API names fields."""
    return f"{path}.{part}" if path else str(part)


def _is_unstorable(value: Any) -> bool:
    return isinstance(value, str) and bool(_UNSTORABLE.search(value))


def unstorable(value: Any, path: str, join: Join = dotted, wrong: Wrong = _is_unstorable) -> Iterator[str]:
    """The path of every string within `value`, names too, that cannot be stored; or of what else is `wrong`.

    A stack instead of recursion, as JSON may nest as deep as Python's; it holds one entry for each level, and makes
    a path only of what it goes into or tells.
    """
    if wrong(value) or _has_name(value, wrong):
        yield path
    levels = [(path, _entries(value))]
    while levels:
        place, entries = levels[-1]
        for part, inner in entries:
            if wrong(inner):
                yield join(place, part)
            elif inner and isinstance(inner, dict | list):
                levels.append((join(place, part), _entries(inner)))
                if _has_name(inner, wrong):
                    yield levels[-1][0]
                break
        else:
            levels.pop()


def _entries(value: Any) -> Entries:
    if isinstance(value, dict):
        return iter(value.items())
    return iter(enumerate(value)) if isinstance(value, list) else iter(())


def _has_name(value: Any, wrong: Wrong) -> bool:
    return isinstance(value, dict) and any(wrong(name) for name in value)
