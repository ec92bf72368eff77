"""What moved a net: integrated gradients over the numbers of the payment and of its events."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models_zoo.fraud.experts.inputs import PAYMENT, VALUES, Inputs

STEPS = 64


def attributions(net: nn.Module, given: Inputs, scale: float) -> dict[str, Tensor]:
    """What each number adds to the calibrated logit, [B] by name (Sundararajan et al. 2017, arXiv:1703.01365).

    From all numbers 0 to what they are, bins held; an event number's is summed over all events.
    """
    payment, binned, values, *rest = given.tensors()
    size = len(payment)
    share = ((torch.arange(STEPS, device=payment.device) + 0.5) / STEPS).repeat(size)
    first, second = (_stepped(one, share).requires_grad_() for one in (payment, values))
    others = (one.repeat_interleave(STEPS, 0) for one in rest)
    with torch.enable_grad():
        _, logit = net(Inputs(first, binned.repeat_interleave(STEPS, 0), second, *others))
        slopes = torch.autograd.grad(logit.sum(), [first, second])
    of_payment, of_values = (one.view(size, STEPS, *one.shape[1:]).mean(1) for one in slopes)
    added = {
        f"payment_{name}": one for name, one in zip(PAYMENT, (of_payment * payment).unbind(-1), strict=True)
    }
    by_event = (of_values * values).sum((1, 2))
    added |= {f"events_{name}": one for name, one in zip(VALUES, by_event.unbind(-1), strict=True)}
    return {name: one * scale for name, one in added.items()}


def _stepped(numbers: Tensor, share: Tensor) -> Tensor:
    """[B, ...] at all steps of its way from 0, [B * STEPS, ...]."""
    whole = numbers.repeat_interleave(STEPS, 0)
    return whole * share.view(-1, *(1 for _ in numbers.shape[1:]))
