"""The type that a run computes in, what float16 needs for it, and when a run has diverged."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from models_zoo.llm.card import ModelError
from models_zoo.llm.training.ranks import whole
from models_zoo.llm.training.spec import Compute

FIRST, LEAST, GROWS_AFTER = 2.0**16, 2.0**-10, 500  # scales, and steps in a row that did not overflow


def compute_type(compute: Compute, usual: torch.dtype) -> torch.dtype:
    """The type that `compute` names; usual: what "auto" means on the device."""
    found: torch.dtype = usual if compute == "auto" else getattr(torch, compute)
    return found


def refuse_endless(value: float, what: str, step: int) -> None:
    """Raises `ModelError` for what is no finite number: the run has diverged, and nothing behind it means anything."""
    if not math.isfinite(value):
        raise ModelError(
            f"the training diverged: {what} at step {step} is {value}; take a smaller learning rate or alpha, a longer "
            "warm-up, or compute in float32"
        )


@dataclass(slots=True)
class LossScale:
    """What a loss is multiplied with before its gradients are made (Micikevicius et al., 2018): 1, or in float16, whose
    smallest numbers would be lost, as much as does not overflow. A step whose gradients overflow is left out.

    good: steps in a row that did not.
    """

    dynamic: bool
    value: float = 1.0
    good: int = 0

    @classmethod
    def of(cls, compute: Compute) -> LossScale:
        """To begin with."""
        return cls(True, FIRST) if compute == "float16" else cls(False)

    def allows(self, norm: Tensor, step: int) -> bool:
        """Whether the step of gradients of this norm is to be taken. Raises `ModelError` when no scale is small enough:
        then not the type is to blame."""
        if not self.dynamic:
            return True
        if math.isfinite(float(whole(norm))):
            self.good += 1
            if self.good == GROWS_AFTER:
                self.value, self.good = self.value * 2.0, 0
            return True
        self.value, self.good = self.value / 2.0, 0
        if self.value < LEAST:
            refuse_endless(math.inf, "the gradient", step)
        return False

    def take_back(self, parameters: Iterable[Tensor], scaled: float) -> None:
        """Divide the gradients by the scale that they were made with."""
        gradients = [one.grad for one in parameters if one.grad is not None]
        if self.dynamic and gradients:
            torch._foreach_div_(gradients, scaled)
