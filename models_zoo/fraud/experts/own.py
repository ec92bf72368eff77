"""What each expert says of a payment by itself, and the logit that its attributions are counted from."""

from __future__ import annotations

from typing import NamedTuple

import torch

from models_zoo.fraud.boosting import Boosting
from models_zoo.fraud.causal import features
from models_zoo.fraud.experts.inputs import Inputs, inputs
from models_zoo.fraud.experts.stored import Deep
from models_zoo.fraud.history import Neighbourhood


class Own(NamedTuple):
    """An expert's own calibrated logit of a payment, what it would be with nothing to attribute, and whether it had a
    say: nets are not asked where boosting sees next to nothing."""

    expert: str
    logit: float
    usual: float
    asked: bool


def own(near: Neighbourhood, boosting: Boosting, deep: Deep | None, delay: float) -> list[Own]:
    """Of the one payment of a neighbourhood, in the order of EXPERTS.

    usual: of boosting the constant of TreeSHAP; of a net its logit with all numbers of payment and events 0, where
    integrated gradients begin.
    """
    rows = features(near, delay)
    logit = float(boosting.logits(rows)[0])
    found = [Own("tabular", logit, float(boosting.attributions(rows)[0, -1]), True)]
    if deep is None:
        return found
    given = inputs(near, delay)
    full, empty = deep.logits(given), deep.logits(_empty(given))
    asked = logit >= deep.floor
    return found + [Own(name, float(full[name][0]), float(empty[name][0]), asked) for name in deep.nets]


def _empty(given: Inputs) -> Inputs:
    payment, binned, values, *rest = given.tensors()
    return Inputs(torch.zeros_like(payment), binned, torch.zeros_like(values), *rest)
