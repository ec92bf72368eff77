"""The small network picture of a payment, laid out on the server: no script draws it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

from apps.fraud.models import Transaction

WIDTH, HEIGHT = 640, 320
MOST = 9
_CENTRES = {"payer": (230.0, 160.0), "payee": (410.0, 160.0)}
_REACH = 118.0
# Above and below the payment's own line, which stays free.
_BETWEEN = ((320.0, 60.0), (320.0, 260.0), (320.0, 20.0))


@dataclass(slots=True, frozen=True)
class Node:
    """An account: place, name, and what it is here (payer, payee, shared or other)."""

    x: float
    y: float
    name: str
    kind: str
    label: str = ""


@dataclass(slots=True, frozen=True)
class Edge:
    """Payments between two accounts: ends, how many, and whether the newest flowed towards the centre."""

    x1: float
    y1: float
    x2: float
    y2: float
    count: int
    inward: bool

    @property
    def width(self) -> float:
        """Stroke width."""
        return min(1.0 + 0.7 * self.count, 5.0)


@dataclass(slots=True, frozen=True)
class Picture:
    """Everything the template draws, and how many accounts found no place."""

    nodes: list[Node]
    edges: list[Edge]
    left_out: int


def picture(row: Transaction, payer: Sequence[Transaction], payee: Sequence[Transaction]) -> Picture:
    """Payer and payee with the accounts they dealt with before; an account that both know stands between them."""
    near = {
        "payer": _counterparties(row, row.payer_key, payer),
        "payee": _counterparties(row, row.payee_key, payee),
    }
    shared = [name for name in near["payer"] if name in near["payee"]][: len(_BETWEEN)]
    places = dict(zip(shared, _BETWEEN, strict=False))
    nodes = [Node(x, y, name, "shared") for name, (x, y) in places.items()]
    edges, left_out = [], 0
    for side, found in near.items():
        others = [name for name in found if name not in places]
        left_out += len(others[MOST:])
        around = _around(side, others[:MOST])
        nodes += [Node(x, y, name, "other") for name, (x, y) in around.items()]
        edges += [_edge(around.get(name) or places[name], side, found[name]) for name in (*around, *places)]
    nodes += [
        Node(*_CENTRES[side], name, side, side) for side, name in (("payer", row.payer), ("payee", row.payee))
    ]
    return Picture(nodes, edges, left_out)


def _counterparties(row: Transaction, key: int, history: Sequence[Transaction]) -> dict[str, list[bool]]:
    """Names with the direction of each payment (True: towards the account), newest first, this pair left out."""
    found: dict[str, list[bool]] = {}
    for one in history:
        inward = one.payee_key == key
        name = one.payer if inward else one.payee
        if name not in (row.payer, row.payee):
            found.setdefault(name, []).append(inward)
    return found


def _around(side: str, names: Sequence[str]) -> dict[str, tuple[float, float]]:
    x, y = _CENTRES[side]
    middle = pi if side == "payer" else 0.0
    step = 1.25 * pi / max(len(names), 1)
    first = middle - step * (len(names) - 1) / 2
    angles = {name: first + step * place for place, name in enumerate(names)}
    return {
        name: (round(x + _REACH * 1.35 * cos(a), 1), round(y + _REACH * sin(a), 1))
        for name, a in angles.items()
    }


def _edge(place: tuple[float, float], side: str, flows: list[bool]) -> Edge:
    return Edge(*place, *_CENTRES[side], len(flows), flows[0])
