"""What the nets read of a neighbourhood: the last events of all four sides as numbers, bins and local graph nodes.

Everything is computed from the windows, which hold nothing at or after the scored payment. No identifier leaves
this module: counterparties become nodes of the payment's own small graph, and port numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models_zoo.fraud.causal.view import DAY, DELAY, HOUR, MINUTE, ages, since_arrival
from models_zoo.fraud.events import CHANNELS, Floats, Records
from models_zoo.fraud.history import SIDES, Neighbourhood

EVENTS = 32
"""Newest events of each side that are read (K)."""
ANCHORS = len(SIDES)
"""Local nodes 0..3 are payer, payee, device and merchant; 4.. are their counterparties."""
VALUES = (
    *(
        "amount",
        "amount_ratio",
        "age",
        "gap",
        "within_hour",
        "within_day",
        "outgoing",
        "partner",
        "first_meeting",
    ),
    *("port", "known_fraud", "known_genuine", "surprise", "same_channel"),
    *(f"channel_{name}" for name in CHANNELS),
)
"""What each event is described by, in order; port: how many other counterparties the side met before this one."""
AGE = VALUES.index("age")
PAYMENT = ("amount", "hour_sin", "hour_cos", "weekend", "has_device", "has_merchant", "to_itself", *CHANNELS)
AMOUNT_EDGES = np.geomspace(1, 20_000, 15).astype(np.float32)
RATIO_EDGES = np.array([0.1, 0.25, 0.5, 0.8, 0.95, 1.05, 1.25, 2, 4, 10], np.float32)
AMOUNT_BINS, RATIO_BINS = len(AMOUNT_EDGES) + 1, len(RATIO_EDGES) + 1
"""Smooth nets do not find sharp thresholds, so amounts are given as bins too (euros; over the scored amount)."""


@dataclass(slots=True, frozen=True)
class Inputs:
    """Tensors of B payments: payment [B, P] and its bin [B]; of their events values [B, 4, K, V], amount and ratio
    bins [B, 4, K] each, node [B, 4, K] (the counterparty's local node) and present bool [B, 4, K]."""

    payment: Tensor
    bin: Tensor
    values: Tensor
    amount: Tensor
    ratio: Tensor
    node: Tensor
    present: Tensor

    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, in order."""
        return (self.payment, self.bin, self.values, self.amount, self.ratio, self.node, self.present)


def inputs(near: Neighbourhood, delay: float = DELAY, events: int = EVENTS) -> Inputs:
    """Inputs of a neighbourhood on the CPU; `delay` as for the causal features (seconds)."""
    return Inputs(*(torch.from_numpy(one) for one in arrays(near, delay, events)))


def arrays(
    near: Neighbourhood, delay: float = DELAY, events: int = EVENTS
) -> tuple[NDArray[np.generic], ...]:
    """The same as numpy arrays: float32, and uint8 for bins and nodes."""
    near = near.newest(events)
    batch = near.payment
    window = np.stack([getattr(near, side) for side in SIDES], axis=1)
    present = window["sequence"] > 0
    amount = np.ascontiguousarray(window["amount"])
    scored = batch["amount"][:, None, None]
    ratio = amount / np.maximum(scored, 0.01)
    values = _values(batch, ages(batch["time"], window["time"]), window, present, ratio, delay)
    return (
        _payment(batch),
        np.searchsorted(AMOUNT_EDGES, batch["amount"]).astype(np.uint8),
        values,
        np.searchsorted(AMOUNT_EDGES, amount).astype(np.uint8),
        np.searchsorted(RATIO_EDGES, ratio).astype(np.uint8),
        _nodes(batch, window, present),
        present,
    )


def _payment(batch: Records) -> Floats:
    angle = 2 * np.pi * (batch["time"] % DAY) / DAY
    columns = [
        np.log1p(batch["amount"]) / 3 - 1,
        np.sin(angle),
        np.cos(angle),
        (batch["time"] // DAY + 3) % 7 >= 5,
        batch["device"] != 0,
        batch["merchant"] != 0,
        batch["payer"] == batch["payee"],
        *(batch["channel"] == place for place in range(len(CHANNELS))),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _values(
    batch: Records, age: Floats, window: Records, present: NDArray[np.bool_], ratio: Floats, delay: float
) -> Floats:
    gap = np.zeros_like(age)
    gap[:, :, 1:] = np.abs(age[:, :, :-1] - age[:, :, 1:]) * present[:, :, :-1]
    partner = np.repeat(batch["payer"][:, None], ANCHORS, axis=1)
    partner[:, 0] = batch["payee"]
    first, port = _ports(window["other"], present)
    fraud = window["fraud"] == 1
    columns = (
        np.log1p(window["amount"]) / 3 - 1,
        np.log(np.maximum(ratio, 1e-3)) / 3,
        np.log1p(age / MINUTE) / 5 - 1,
        np.log1p(gap / MINUTE) / 5 - 1,
        age <= HOUR,
        age <= DAY,
        window["outgoing"],
        window["other"] == partner[:, :, None],
        first,
        np.log1p(port) / 3,
        fraud,
        (window["fraud"] == 2) | ((since_arrival(batch["time"], window["time"]) >= delay) & ~fraud),
        np.log(np.maximum(window["surprise"], 1e-2)).clip(-3, 4) / 2,
        window["channel"] == batch["channel"][:, None, None],
        *(window["channel"] == place for place in range(len(CHANNELS))),
    )
    values = np.empty((*present.shape, len(VALUES)), np.float32)
    for place, column in enumerate(columns):
        values[..., place] = column
    values *= present[..., None]
    return values


def _ports(
    other: NDArray[np.int64], present: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Of events [B, 4, K]: whether the counterparty is met for the first time, and how many were met before it.

    Port numbers as of Egressy et al. 2024 (arXiv:2306.11586), as far as the window reaches.
    """
    same = other[..., :, None] == other[..., None, :]
    same &= present[..., None, :]
    earliest = same.argmax(axis=-1)
    first = present & (earliest == np.arange(other.shape[-1]))
    met = first.cumsum(axis=-1) - 1
    port = np.take_along_axis(met, earliest, axis=-1)
    return first, np.where(present, port, 0)


def _nodes(batch: Records, window: Records, present: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Local node [B, 4, K] of each event's counterparty: that of the anchor if it is one, else of its first event.

    Whoever several sides have met is one node, so paths of two hops run through it.
    """
    size, _, events = present.shape
    count = ANCHORS + ANCHORS * events
    anchors = np.stack([batch[side] for side in SIDES], axis=1)
    keys = np.concatenate([anchors, window["other"].reshape(size, -1)], axis=1)
    named = np.concatenate([anchors != 0, present.reshape(size, -1)], axis=1)
    # What is not there is a node of its own; no entity's key is so small.
    keys = np.where(named, keys, np.iinfo(np.int64).min + np.arange(count))
    order = np.argsort(keys, axis=1, kind="stable")
    ordered = np.take_along_axis(keys, order, axis=1)
    fresh = np.ones(keys.shape, bool)
    fresh[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    start = np.maximum.accumulate(np.where(fresh, np.arange(count), 0), axis=1)
    node = np.empty(keys.shape, np.uint8)
    np.put_along_axis(node, order, np.take_along_axis(order, start, axis=1).astype(np.uint8), axis=1)
    return node[:, ANCHORS:].reshape(size, ANCHORS, events)
