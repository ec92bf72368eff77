"""Messages as trees. Nothing that an attack could use is parsed: no document type, so neither entities nor files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from rootstock.errors import BadBody, TooLarge

MOST_BYTES = 8 * 1024 * 1024
MOST_ELEMENTS = 250_000
MOST_DEPTH = 32
_BETWEEN = " "  # cannot be in a name, and in no namespace that is one of ISO 20022


@dataclass(slots=True, eq=False)
class Node:
    """One element. `attributes` are by name, those of other namespaces as "namespace name"."""

    namespace: str
    name: str
    attributes: dict[str, str]
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What stands in it, around its children."""
        return "".join(self.texts)

    def path(self) -> str:
        """Its XPath, without prefixes; places are told where there are several of a name."""
        if self.parent is None:
            return f"/{self.name}"
        named = [one for one in self.parent.children if one.name == self.name]
        place = f"[{named.index(self) + 1}]" if len(named) > 1 else ""
        return f"{self.parent.path()}/{self.name}{place}"

    def all(self, path: str) -> Iterator[Node]:
        """The elements at a path of names beneath it."""
        name, _, rest = path.partition("/")
        for child in self.children:
            if child.name == name:
                yield from child.all(rest) if rest else (child,)

    def first(self, *paths: str) -> Node | None:
        """The first element at the first of these paths that leads to one."""
        return next((one for path in paths for one in self.all(path)), None)


class _Builder:
    """Expat's handlers. What is too much ends the parsing by an error."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.open: list[Node] = []
        self.count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > MOST_ELEMENTS:
            raise TooLarge(f"at most {MOST_ELEMENTS:,} elements are taken")
        if len(self.open) >= MOST_DEPTH:
            raise BadBody.because(f"elements are nested more than {MOST_DEPTH} deep")
        namespace, _, local = name.rpartition(_BETWEEN)
        node = Node(namespace, local, attributes, self.open[-1] if self.open else None)
        if self.open:
            self.open[-1].children.append(node)
        else:
            self.root = node
        self.open.append(node)

    def end(self, name: str) -> None:
        self.open.pop()

    def data(self, text: str) -> None:
        self.open[-1].texts.append(text)

    def doctype(self, *_: object) -> None:
        raise BadBody.because("must not have a document type (DOCTYPE)")


def tree_of(body: bytes) -> Node:
    """The root of a document in UTF-8. Raises BadBody, and TooLarge."""
    if len(body) > MOST_BYTES:
        raise TooLarge(f"at most {MOST_BYTES:,} bytes of XML are taken")
    try:
        body.decode()  # expat would believe a byte order mark of UTF-16
    except UnicodeDecodeError as error:
        raise BadBody.because(f"is not XML in UTF-8: invalid byte at {error.start}") from None
    builder = _Builder()
    parser = expat.ParserCreate("UTF-8", _BETWEEN)  # whatever its declaration says
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = builder.doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        reason = f"{expat.ErrorString(error.code)}, line {error.lineno}, column {error.offset + 1}"
        raise BadBody.because(f"is not XML in UTF-8: {reason}") from None
    if builder.root is None:
        raise BadBody.because("holds no element")
    return builder.root
