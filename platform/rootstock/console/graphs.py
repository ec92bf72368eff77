"""A graph card: things and how they are connected. One description feeds the drawing and the list beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, frozen=True)
class Node:
    """One thing. `tone` colours it (accent, ok, warn, high, error, neutral); `focus` ones are large and named."""

    id: str
    label: str
    kind: str = ""
    tone: str = "neutral"
    focus: bool = False
    url: str = ""


@dataclass(slots=True, frozen=True)
class Edge:
    """A connection from `source` to `target`; `weight` makes it thicker, a dashed one is of the second kind."""

    source: str
    target: str
    label: str = ""
    weight: float = 1.0
    tone: str = "neutral"
    dashed: bool = False


@dataclass(slots=True, frozen=True)
class Connection:
    """One line of the list: who is connected to whom, in words."""

    source: Node
    target: Node
    label: str


@dataclass(slots=True, frozen=True)
class Graph:
    """A graph card."""

    id: str
    title: str
    nodes: Sequence[Node]
    edges: Sequence[Edge]
    note: str = ""
    meta: str = ""

    def spec(self) -> dict[str, Any]:
        """What the browser draws from, as JSON."""
        nodes = [
            {"id": n.id, "label": n.label, "kind": n.kind, "tone": n.tone, "focus": n.focus, "url": n.url}
            for n in self.nodes
        ]
        edges = [
            {
                "id": f"edge-{place}",
                "source": edge.source,
                "target": edge.target,
                "label": edge.label,
                "width": round(min(1 + 0.6 * edge.weight, 5), 1),
                "tone": edge.tone,
                "dashed": edge.dashed,
            }
            for place, edge in enumerate(self.edges)
        ]
        return {"nodes": nodes, "edges": edges}

    def connections(self) -> list[Connection]:
        """The same as a list."""
        named = {node.id: node for node in self.nodes}
        return [Connection(named[edge.source], named[edge.target], edge.label) for edge in self.edges]
