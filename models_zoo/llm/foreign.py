"""What somebody else's file says, before it reaches a database, a page, a log or an error: bounded and storable.

Free of torch, and of anything outside the standard library.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

Pairs = Callable[[list[tuple[str, Any]]], dict[str, Any]]
NESTING = 32  # levels of lists and objects in a JSON file: more is an attack on whoever walks them
SHOWN = 80  # characters of a refused value that a message repeats
NAMED = 160  # characters of a name, a tensor's for instance, that a message repeats as it is
LONGEST = 500  # characters of a message
# Controls, halves of surrogate pairs, and what turns the reading direction or is not seen at all.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
# What PostgreSQL stores in no text and no JSON.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class ModelError(Exception):
    """A base or adapter on disk is not what it should be; the message names file, field and expectation."""

    def __init__(self, text: str) -> None:
        super().__init__(bounded(text))


class AdapterError(ModelError):
    """An adapter folder was refused."""


def bounded(text: str, most: int = LONGEST) -> str:
    """A text of at most `most` characters that can be stored and shown: what cannot is spelled as an escape."""
    plain = _HIDDEN.sub(lambda found: f"\\u{ord(found.group()):04x}", text[: most + 1])
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def shown(value: Any) -> str:
    """A refused value as a message repeats it."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def named(name: str) -> str:
    """A name as a message repeats it: as it is where that is short and can be read, else as `shown`."""
    return name if name.isprintable() and len(name) <= NAMED else shown(name)


def read_json(path: Path, limit: int = 1_000_000, pairs: Pairs | None = None) -> dict[str, Any]:
    """The JSON object in `path`. Raises `ModelError` when missing, over `limit` bytes, too deep, or no object.

    pairs: makes an object of its names and values, as `json.loads` asks.
    """
    try:
        if path.stat().st_size > limit:
            raise ModelError(f"{path}: larger than {limit} bytes")
        value = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=pairs)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: file is missing") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(f"{path}: not valid JSON: {error}") from error
    except RecursionError:
        raise ModelError(f"{path}: nested deeper than {NESTING} levels") from None
    if _deep(value):
        raise ModelError(f"{path}: nested deeper than {NESTING} levels")
    if not isinstance(value, dict):
        raise ModelError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def read_storable(path: Path) -> dict[str, Any]:
    """The same of a file that strangers bring: whatever it says can be stored in a database.

    Raises `AdapterError` too for a NUL, half of a surrogate pair, NaN or infinity, naming the field, and for a field
    that stands there twice: readers differ in which of the two they believe.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
            raise AdapterError(f"{path}: {named(twice)} stands there twice, expected once")
        return found

    try:
        values = read_json(path, pairs=once)
    except ModelError as error:
        raise AdapterError(str(error)) from error
    for place, name, value in _leaves(values):
        at = f"{path}: {place}"
        if any(isinstance(text, str) and _UNSTORABLE.search(text) for text in (name, value)):
            raise AdapterError(f"{at} holds a NUL character or half of a surrogate pair, expected plain text")
        if isinstance(value, float) and not math.isfinite(value):
            raise AdapterError(f"{at} is {value}, expected a finite number")
    return values


def refuse_long(path: Path, values: dict[str, Any], most: int) -> None:
    """Raise `AdapterError` naming the field that holds a text of more than `most` characters."""
    for place, name, value in _leaves(values):
        length = max(len(text) for text in (name, value, "") if isinstance(text, str))
        if length > most:
            raise AdapterError(f"{path}: {place} is {length} characters long, expected at most {most}")


def _leaves(values: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Every name and every value at any depth; first its place, of the outermost and the innermost name."""
    for field, inner in values.items():
        waiting: list[tuple[str, str, Any]] = [(named(field), field, inner)]
        while waiting:
            place, name, value = waiting.pop()
            yield place, name, value
            if isinstance(value, dict):
                waiting += ((f"{named(field)}.{named(key)}", key, one) for key, one in value.items())
            elif isinstance(value, list):
                waiting += ((place, "", one) for one in value)


def _deep(value: Any) -> bool:
    level = [value]
    for _ in range(NESTING + 1):
        level = [part for entry in level for part in _parts(entry)]
    return bool(level)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
