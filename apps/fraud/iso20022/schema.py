"""Messages against their schemas, as pyiso20022 has them: dataclasses made from the XSD files, one for each type."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from xsdata.models.datatype import XmlDate, XmlDateTime, XmlDuration, XmlPeriod, XmlTime

from apps.fraud.iso20022.xml import Node
from rootstock.errors import FieldProblem

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_BOOLEANS = ("true", "false", "1", "0")
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_DATED: dict[type, str] = {
    XmlDate: "a date", XmlDateTime: "a date with a time", XmlTime: "a time", XmlPeriod: "a period",
    XmlDuration: "a duration",
}  # fmt: skip


@dataclass(slots=True, frozen=True)
class Member:
    """An element or attribute of a type, or its text: how often it comes, and what may stand in it."""

    name: str
    kind: type
    least: int
    most: int | None
    rules: dict[str, Any]


@dataclass(slots=True, frozen=True)
class Shape:
    """A type: its elements in their order, its attributes, and its text, if it is no type of elements."""

    elements: dict[str, Member]
    order: dict[str, int]
    attributes: dict[str, Member]
    text: Member | None
    anything: bool
    is_choice: bool


@cache
def shape_of(kind: type) -> Shape:
    """What a dataclass of pyiso20022 says of its type."""
    hints, members = get_type_hints(kind), {"Element": {}, "Attribute": {}}  # type: dict[str, Any], dict[str, dict[str, Member]]
    text, anything = None, False
    for one in fields(kind):
        inner, repeated = _inner(hints[one.name])
        rules: dict[str, Any] = dict(one.metadata)
        where = rules.get("type", "Text")
        least = rules.get("min_occurs", int(bool(rules.get("required"))))
        most = rules.get("max_occurs") if repeated else 1
        member = Member(rules.get("name", one.name), inner, least, most, rules)
        if where in members:
            members[where][member.name] = member
        elif where == "Wildcard":
            anything = True
        else:
            text = member
    elements = members["Element"]
    order = {name: place for place, name in enumerate(elements)}
    return Shape(elements, order, members["Attribute"], text, anything, kind.__name__.endswith("Choice"))


def _inner(hint: Any) -> tuple[type, bool]:
    """`None | X` and `list[X]` as X, and whether it is a list."""
    if get_origin(hint) is list:
        return _inner(get_args(hint)[0])[0], True
    options = [one for one in get_args(hint) if one is not NoneType]
    return (options[0] if options else hint), False


def problems_of(node: Node, kind: type, namespace: str) -> Iterator[FieldProblem]:
    """What is wrong with an element of this type and with what is beneath it."""
    shape = shape_of(kind)
    yield from _attributes(node, shape)
    if shape.anything:
        return
    if shape.text is not None:
        yield from (_at(child, "is not allowed here") for child in node.children[:1])
        yield from _value(node, node.text, shape.text.kind, shape.text.rules)
        return
    if node.text.strip():
        yield _at(node, "must hold elements and no text")
    yield from _elements(node, shape, namespace)


def _elements(node: Node, shape: Shape, namespace: str) -> Iterator[FieldProblem]:
    counts: dict[str, int] = {}
    last = ""
    for child in node.children:
        member = shape.elements.get(child.name)
        if member is None or child.namespace != namespace:
            yield _at(child, "is not an element of this message here")
            continue
        if last and shape.order[child.name] < shape.order[last]:
            yield _at(child, f"must stand before {last}")
        last = child.name
        counts[child.name] = counts.get(child.name, 0) + 1
        if member.most is not None and counts[child.name] == member.most + 1:
            yield _at(
                child, f"must not come more than {'once' if member.most == 1 else f'{member.most} times'}"
            )
        if is_dataclass(member.kind):
            yield from problems_of(child, member.kind, namespace)
        else:
            yield from (_at(one, "is not allowed here") for one in child.children[:1])
            yield from _attributes(child, None)
            yield from _value(child, child.text, member.kind, member.rules)
    yield from _missing(node, shape, counts)


def _missing(node: Node, shape: Shape, counts: dict[str, int]) -> Iterator[FieldProblem]:
    if shape.is_choice and len(counts) != 1:
        yield _at(node, f"must hold exactly one of {', '.join(shape.elements)}")
        return
    for name, member in shape.elements.items():
        if not shape.is_choice and counts.get(name, 0) < member.least:
            yield FieldProblem(f"{node.path()}/{name}", "is missing")


def _attributes(node: Node, shape: Shape | None) -> Iterator[FieldProblem]:
    known = shape.attributes if shape else {}
    for name, value in node.attributes.items():
        if name.startswith(_XSI) or (shape is not None and shape.anything):
            continue
        if name not in known:
            yield FieldProblem(
                f"{node.path()}/@{name.rpartition(' ')[2]}", "is not an attribute of this element"
            )
        else:
            yield from _value(node, value, known[name].kind, known[name].rules, f"/@{name}")
    for name, member in known.items():
        if member.least and name not in node.attributes:
            yield FieldProblem(f"{node.path()}/@{name}", "is missing")


def _value(node: Node, text: str, kind: type, rules: dict[str, Any], at: str = "") -> Iterator[FieldProblem]:
    reason = _wrong(text, kind, rules)
    if reason:
        yield FieldProblem(node.path() + at, reason)


def _wrong(text: str, kind: type, rules: dict[str, Any]) -> str:
    """Why a text is none of this type; empty if it is one."""
    if kind is str:
        return _wrong_text(text, rules)
    if issubclass(kind, Enum):
        values = [str(one.value) for one in kind]
        return "" if text in values else f"must be one of {', '.join(values)}"
    found = next((check for known, check in _SIMPLE.items() if issubclass(kind, known)), None)
    return found(text.strip(), rules) if found else _wrong_date(text.strip(), kind)


def _wrong_text(text: str, rules: dict[str, Any]) -> str:
    if len(text) < rules.get("min_length", 0):
        return f"must have at least {rules['min_length']} characters" if text else "must not be empty"
    if len(text) > rules.get("max_length", len(text)):
        return f"must have at most {rules['max_length']} characters"
    pattern = rules.get("pattern")
    return f"must be written as {pattern}" if pattern and not re.fullmatch(pattern, text) else ""


def _wrong_decimal(text: str, rules: dict[str, Any]) -> str:
    if not _DECIMAL.fullmatch(text):
        return "must be a decimal number"
    whole, _, part = text.lstrip("+-").partition(".")
    part = part.rstrip("0")
    if len(part) > rules.get("fraction_digits", len(part)):
        return f"must have at most {rules['fraction_digits']} digits after the point"
    if len(whole.lstrip("0")) + len(part) > rules.get("total_digits", len(text)):
        return f"must have at most {rules['total_digits']} digits"
    try:
        below = "min_inclusive" in rules and Decimal(text) < rules["min_inclusive"]
    except InvalidOperation:
        return "must be a decimal number"
    return f"must be at least {rules['min_inclusive']}" if below else ""


def _wrong_date(text: str, kind: type) -> str:
    if kind not in _DATED:
        return ""
    try:
        kind.from_string(text) if hasattr(kind, "from_string") else kind(text)
    except (ValueError, OverflowError):
        return f"must be {_DATED[kind]}"
    return ""


def _wrong_bytes(text: str, rules: dict[str, Any]) -> str:
    try:
        found = base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return "must be base64"
    return "must not be longer" if len(found) > rules.get("max_length", len(found)) else ""


# bool before int, of which it is a kind.
_SIMPLE: dict[type, Callable[[str, dict[str, Any]], str]] = {
    bool: lambda text, rules: "" if text in _BOOLEANS else "must be true or false",
    Decimal: _wrong_decimal,
    int: lambda text, rules: "" if _INTEGER.fullmatch(text) else "must be a whole number",
    float: lambda text, rules: "" if _DECIMAL.fullmatch(text) else "must be a number",
    bytes: _wrong_bytes,
}


def _at(node: Node, reason: str) -> FieldProblem:
    return FieldProblem(node.path(), reason)
