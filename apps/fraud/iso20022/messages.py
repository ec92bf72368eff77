"""Which messages are taken, and finding them in what was sent: one Document, or several in an envelope of any name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import islice
from typing import Any

from apps.fraud.iso20022.schema import problems_of
from apps.fraud.iso20022.xml import Node, tree_of
from rootstock.edge import MAX_PROBLEMS
from rootstock.errors import FieldProblem, InvalidInput

VERSIONS = {"pacs.008": range(2, 14), "pain.001": range(3, 13), "pacs.002": range(3, 16)}
"""Of each message those versions whose root element has its present name."""
TAKEN = ", ".join(f"{name}.001.{one[0]:02d} to .{one[-1]:02d}" for name, one in VERSIONS.items())
_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:((?:pacs|pain)\.\d{3})\.001\.(\d{2})")
_ENVELOPES = 3  # what may stand around a Document


@dataclass(slots=True, frozen=True)
class Message:
    """One message that fits its schema: which it is ("pacs.008"), and its element within Document."""

    name: str
    root: Node


def messages_of(body: bytes) -> list[Message]:
    """The messages of a body, in order. Raises BadBody, TooLarge, and InvalidInput with an XPath for each problem."""
    documents = list(_documents(tree_of(body), 0))
    if not documents:
        raise InvalidInput.field("/", "holds no element Document")
    refuse(problem for one in documents for problem in _problems(one))
    return [Message(_named(one)[0], one.children[0]) for one in documents]


def refuse(found: Iterator[FieldProblem]) -> None:
    """Raises InvalidInput with the first of these problems; the others are only counted as being there."""
    problems = list(islice(found, MAX_PROBLEMS))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InvalidInput(f"{problems[0].field}: {problems[0].reason}{more}", errors=problems)


def _documents(node: Node, depth: int) -> Iterator[Node]:
    """The outermost elements Document. What stands beside them in an envelope, a header say, is not looked at."""
    if node.name == "Document":
        yield node
    elif depth < _ENVELOPES:
        for child in node.children:
            yield from _documents(child, depth + 1)


def _named(document: Node) -> tuple[str, int]:
    found = _NAMESPACE.fullmatch(document.namespace)
    return (found[1], int(found[2])) if found else ("", 0)


def _problems(document: Node) -> Iterator[FieldProblem]:
    name, version = _named(document)
    if version not in VERSIONS.get(name, ()):
        yield FieldProblem(document.path(), f"must have the namespace of one of {TAKEN}")
        return
    yield from problems_of(document, _kind(name, version), document.namespace)


@cache
def _kind(name: str, version: int) -> type[Any]:
    family, number = name.split(".")
    module = import_module(f"pyiso20022.{family}.{family}_{number}_001_{version:02d}")
    kind: type[Any] = module.Document
    return kind
