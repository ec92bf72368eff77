"""The tree of a file's columns.

https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from models_zoo.tables.common import MAX_COLUMNS, Refused
from models_zoo.tables.parquet.thrift import Struct

MAX_ELEMENTS, MAX_DEPTH = 2000, 12
REQUIRED, OPTIONAL, REPEATED = range(3)
BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY, FIXED = range(8)
_TYPE, _REPETITION, _NAME, _CHILDREN, _CONVERTED, _LOGICAL = 1, 3, 4, 5, 6, 10
_LIST_CONVERTED, _LIST_LOGICAL = 3, 3
# by the older annotation and by the newer: text, lists and plain whole numbers
_PLAIN_CONVERTED = {None, 0, 3, 4, 11, 12, 13, 14, 15, 16, 17, 18, 19}
_PLAIN_LOGICAL = {None, 1, 3, 4, 10, 11, 12}


@dataclass(slots=True)
class Node:
    """A column, or a group of them. repeated, defined: the levels from which it is repeated, and is there."""

    name: str
    repetition: int
    kind: int | None
    defined: int
    repeated: int
    is_list: bool
    plain: bool
    children: list[Node] = field(default_factory=list)
    leaf: int = -1  # its place among the columns that hold values

    def leaves(self) -> Iterator[Node]:
        """Those columns within it that hold values."""
        if self.kind is not None:
            yield self
        for child in self.children:
            yield from child.leaves()

    @property
    def unread(self) -> str:
        """Why it cannot be read; empty when it can."""
        if any(leaf.kind in (INT96, FIXED) or not leaf.plain for leaf in self.leaves()):
            return "holds dates, decimals or other values that are no text, number or truth value"
        return "" if any(True for _ in self.leaves()) else "holds nothing"


def schema_of(elements: Sequence[Struct]) -> list[Node]:
    """The columns at the top. Raises `Refused`."""
    if not 1 < len(elements) <= MAX_ELEMENTS:
        raise Refused(f"has a schema of {len(elements)} parts, 2 to {MAX_ELEMENTS} are read")
    waiting = iter(elements)
    root, count = next(waiting), 0
    top: list[Node] = []
    for _ in range(_number(root, _CHILDREN)):
        node = _node(waiting, 0, 0, 1)
        for leaf in node.leaves():
            leaf.leaf, count = count, count + 1
        top.append(node)
    if len(top) > MAX_COLUMNS:
        raise Refused(f"has {len(top)} columns, at most {MAX_COLUMNS} are read")
    return top


def _node(waiting: Iterator[Struct], defined: int, repeated: int, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise Refused(f"has columns within columns more than {MAX_DEPTH} deep")
    element = next(waiting, None)
    if element is None or not isinstance(element.get(_NAME), bytes):
        raise Refused("is no Parquet file: its schema is damaged")
    repetition = _number(element, _REPETITION)
    defined += repetition != REQUIRED
    repeated += repetition == REPEATED
    children = _number(element, _CHILDREN)
    logical = element.get(_LOGICAL) or {}
    node = Node(
        element[_NAME].decode(errors="replace"),
        repetition,
        None if children else _number(element, _TYPE),
        defined,
        repeated,
        element.get(_CONVERTED) == _LIST_CONVERTED or _LIST_LOGICAL in logical,
        element.get(_CONVERTED) in _PLAIN_CONVERTED and set(logical) <= _PLAIN_LOGICAL,
    )
    node.children = [_node(waiting, defined, repeated, depth + 1) for _ in range(children)]
    return node


def _number(element: Struct, number: int) -> int:
    value = element.get(number, 0)
    if not isinstance(value, int) or value < 0:
        raise Refused("is no Parquet file: its schema is damaged")
    return value
