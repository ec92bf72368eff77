"""The accounts around a payment, as a graph: payer, payee, and those they dealt with before it arrived."""

from collections.abc import Callable, Sequence

from apps.fraud.models import Transaction
from rootstock.console.graphs import Edge, Graph, Node

MOST = 14  # counterparties of each side; more would be a ball of wool


def network(
    row: Transaction,
    payer: Sequence[Transaction],
    payee: Sequence[Transaction],
    link: Callable[[str], str],
) -> Graph:
    """The graph of one payment. An account that both sides know stands between them; `link` leads to its payments."""
    near = [
        (row.payer, _counterparties(row, row.payer_key, payer)),
        (row.payee, _counterparties(row, row.payee_key, payee)),
    ]
    shared = set(near[0][1]) & set(near[1][1])
    drawn = [(centre, _drawn(found, shared)) for centre, found in near]
    others = dict.fromkeys(name for _, found in drawn for name in found)
    left_out = sum(len(found) for _, found in near) - sum(len(found) for _, found in drawn)
    return Graph(
        id="accounts",
        title="Accounts around this payment",
        meta="before it arrived",
        nodes=[
            Node(row.payer, row.payer, "payer", "accent", True, link(row.payer)),
            Node(row.payee, row.payee, "payee", "accent", True, link(row.payee)),
            *(_other(name, name in shared, link(name)) for name in others),
        ],
        edges=[
            Edge(row.payer, row.payee, "this payment", 4, "critical"),
            *(
                edge
                for centre, found in drawn
                for name, flows in found.items()
                for edge in _edges(centre, name, flows)
            ),
        ],
        note="Arrows show where money went; a thicker one stands for more payments, ringed in orange are accounts "
        "that both sides know." + (f" {left_out} more accounts not drawn." if left_out else ""),
    )


def _other(name: str, shared: bool, url: str) -> Node:
    return Node(name, name, "known to both" if shared else "", "high" if shared else "neutral", False, url)


def _drawn(found: dict[str, list[bool]], shared: set[str]) -> dict[str, list[bool]]:
    first = sorted(found, key=lambda name: name not in shared)[:MOST]
    return {name: found[name] for name in first}


def _edges(centre: str, name: str, flows: list[bool]) -> list[Edge]:
    """One arrow for each direction in which money flowed."""
    inward, outward = flows.count(True), flows.count(False)
    found = [Edge(name, centre, _times(inward), inward, "ok")] if inward else []
    return [*found, Edge(centre, name, _times(outward), outward, "warn", dashed=True)] if outward else found


def _times(count: int) -> str:
    return "1 payment" if count == 1 else f"{count} payments"


def _counterparties(row: Transaction, key: int, history: Sequence[Transaction]) -> dict[str, list[bool]]:
    """Names with the direction of each payment (True: towards the account), newest first, this pair left out."""
    found: dict[str, list[bool]] = {}
    for one in history:
        inward = one.payee_key == key
        name = one.payer if inward else one.payee
        if name not in (row.payer, row.payee):
            found.setdefault(name, []).append(inward)
    return found
