"""Trainings that yield a new base: all weights learned in floats, then quantized again.

    from models_zoo.llm.training.bases import BaseSpec, train_base
    spec = BaseSpec(base=..., target=..., unquantized=..., name="desk-base", task="chat", train=..., evaluation=...)
    for event in train_base(spec): ...

Importing this package does not import torch; calling `train_base` does.
"""

from __future__ import annotations

from collections.abc import Iterator

from models_zoo.llm.training.bases.spec import BaseSpec, read_base_spec
from models_zoo.llm.training.pause import NEVER, Pause
from models_zoo.llm.training.spec import TrainEvent

__all__ = ["BaseSpec", "read_base_spec", "train_base"]


def train_base(spec: BaseSpec, pause: Pause = NEVER) -> Iterator[TrainEvent]:
    """Train a base as `spec` says and yield what happens; the last event names the base's folder and fingerprint.

    `pause`, checkpoints and closing early are as with `train_lora`. Leaves two folders: `spec.target`, the quantized
    base, and `spec.unquantized`, what it was made from. Raises `ModelError` before the first step for a bad spec, base
    or data file, and, with the figure, where memory would not do.
    """
    from models_zoo.llm.training.bases.run import run

    return run(spec, pause)
