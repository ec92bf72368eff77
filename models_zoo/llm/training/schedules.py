"""How learning rates go over a run's steps."""

from __future__ import annotations

import math
from collections.abc import Callable

from models_zoo.llm.training.spec import Schedule, TrainSpec

LOWEST_RATE = 0.02  # of the learning rate, where a schedule ends

SHAPES: dict[Schedule, Callable[[float], float]] = {
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    "linear": lambda done: 1.0 - done,
    "constant": lambda done: 1.0,
    "exponential": lambda done: LOWEST_RATE**done,
}


def rate_at(spec: TrainSpec, step: int, steps: int) -> float:
    """What the learning rates are multiplied with at `step`, from 0, of a stage of so many steps: the warm-up's rise
    times the schedule's fall."""
    warm = min(1.0, (step + 1) / max(1.0, spec.warmup * steps))
    return warm * max(LOWEST_RATE, SHAPES[spec.schedule](min(1.0, step / steps)))
