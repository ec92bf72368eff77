"""Network inputs of a neighbourhood: event sequences, and the graph of both accounts with their counterparties.

The graph is made here and not sampled by a library: the events of a window are all there is to choose from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud.events import CHANNELS, Floats, Records
from models_zoo.fraud.features import DAY, EVENTS, MINUTE, first_seen
from models_zoo.fraud.history import Neighbourhood

EVENT_INPUTS = 11 + len(CHANNELS)
NODE_INPUTS = 9
SIDES = 2
"""Payer is side 0, payee side 1."""


@dataclass(slots=True, frozen=True)
class Graph:
    """B disjoint graphs as one. Nodes 0..B-1 are payers, B..2B-1 payees, the rest their counterparties.

    nodes float32 [N, NODE_INPUTS]; source, target int64 [E]: one edge per event, counterparty -> account;
    edge int64 [E] is the event's row in the flattened [2, B, K] windows (payer side first).
    """

    nodes: Floats
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    edge: NDArray[np.int64]


def event_inputs(near: Neighbourhood) -> Floats:
    """Inputs float32 [2, B, K, EVENT_INPUTS] of the events of both windows, zero where there is none."""
    near, batch = near.newest(EVENTS), near.payment
    return np.stack([_side(batch, near.payer, batch["payee"]), _side(batch, near.payee, batch["payer"])])


def _side(batch: Records, window: Records, partner: NDArray[np.int64]) -> Floats:
    present = window["sequence"] > 0
    age = np.maximum(batch["time"][:, None] - window["time"], 0.0)
    gap = np.maximum(np.diff(window["time"], axis=1, prepend=window["time"][:, :1]), 0.0)
    gap[:, 1:] *= present[:, :-1]
    log = np.log1p(window["amount"])
    columns = [
        log / 3 - 1,
        (log - np.log1p(batch["amount"])[:, None]) / 2,
        np.log1p(age / MINUTE) / 5 - 1,
        np.log1p(gap / MINUTE) / 5 - 1,
        age < 60 * MINUTE,
        age < DAY,
        window["outgoing"],
        window["other"] == partner[:, None],
        first_seen(window),
        window["amount"] < 5,
        present,
        *(window["channel"] == index for index in range(len(CHANNELS))),
    ]
    return (np.stack(columns, axis=2) * present[:, :, None]).astype(np.float32)


def graph(near: Neighbourhood) -> Graph:
    """The neighbourhood as a graph: an account that both sides know is one node, so paths run through it."""
    near, size = near.newest(EVENTS), len(near)
    windows = np.concatenate([near.payer, near.payee])
    anchor, place = np.nonzero(windows["sequence"] > 0)
    events = windows[anchor, place]
    side, row = anchor // size, anchor % size
    pairs = np.zeros(len(events), np.dtype([("row", "<i8"), ("other", "<i8")]))
    pairs["row"], pairs["other"] = row, events["other"]
    unique, node = np.unique(pairs, return_inverse=True)
    source = node.astype(np.int64) + 2 * size
    # An event between payer and payee themselves links their own two nodes.
    partner = np.where(side == 0, near.payment["payee"][row], near.payment["payer"][row])
    source = np.where(events["other"] == partner, (1 - side) * size + row, source)
    nodes = np.concatenate([_accounts(near), _counterparties(len(unique), node, side, events)])
    return Graph(nodes, source, anchor.astype(np.int64), (anchor * EVENTS + place).astype(np.int64))


def _accounts(near: Neighbourhood) -> Floats:
    nodes = np.zeros((SIDES * len(near), NODE_INPUTS), np.float32)
    for side, window in enumerate((near.payer, near.payee)):
        rows = nodes[side * len(near) : (side + 1) * len(near)]
        present = window["sequence"] > 0
        outgoing = present & (window["outgoing"] == 1)
        rows[:, side] = 1
        rows[:, 2] = np.log1p(near.payment["amount"]) / 3 - 1
        rows[:, 3] = np.log1p(outgoing.sum(axis=1))
        rows[:, 4] = np.log1p((present & ~outgoing).sum(axis=1))
    return nodes


def _counterparties(count: int, node: NDArray[np.int64], side: NDArray[np.int64], events: Records) -> Floats:
    """Columns 5..8: log number of events per side and direction."""
    nodes = np.zeros((count, NODE_INPUTS), np.float32)
    np.add.at(nodes, (node, 5 + 2 * side + events["outgoing"]), 1.0)
    return np.log1p(nodes)
