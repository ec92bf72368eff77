"""What moved a net: integrated gradients over the numbers of the payment and of its events."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models_zoo.fraud.experts.inputs import PAYMENT, VALUES, Inputs

STEPS = 16


def attributions(net: nn.Module, given: Inputs, scale: float) -> dict[str, Tensor]:
    """What each number adds to the calibrated logit, [B] by name (Sundararajan et al. 2017, arXiv:1703.01365).

    From all numbers 0 to what they are, bins held; an event number's is summed over all events.
    """
    payment, binned, values, *rest = given.tensors()
    total = [torch.zeros_like(payment), torch.zeros_like(values)]
    with torch.enable_grad():
        for step in range(STEPS):
            share = (step + 0.5) / STEPS
            first, second = (payment * share).requires_grad_(), (values * share).requires_grad_()
            _, logit = net(Inputs(first, binned, second, *rest))
            for place, slope in enumerate(torch.autograd.grad(logit.sum(), [first, second])):
                total[place] += slope / STEPS
    added = {
        f"payment_{name}": one for name, one in zip(PAYMENT, (total[0] * payment).unbind(-1), strict=True)
    }
    by_event = (total[1] * values).sum((1, 2))
    added |= {f"events_{name}": one for name, one in zip(VALUES, by_event.unbind(-1), strict=True)}
    return {name: one * scale for name, one in added.items()}
