"""LoRA training on the quantized base: `train_lora(spec)` yields events and leaves an adapter folder.

    from models_zoo.llm.training import TrainSpec, train_lora
    spec = TrainSpec(base=..., target=..., name="support-emotion", task="classification", train=...)
    for event in train_lora(spec): ...

Importing this package does not import torch; calling `train_lora` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from models_zoo.llm.training.pause import NEVER, Pause
from models_zoo.llm.training.spec import TrainEvent, TrainSpec, read_spec

if TYPE_CHECKING:
    from models_zoo.llm.decoder import Decoder

__all__ = ["TrainEvent", "TrainSpec", "read_spec", "train_lora"]


def train_lora(
    spec: TrainSpec, pause: Pause = NEVER, load: Callable[[Path, str], Decoder] | None = None
) -> Iterator[TrainEvent]:
    """Train one adapter as `spec` says and yield what happens.

    `pause` is called before every layer, on the way back too: a run is held up there while others need the device;
    on CUDA then more often, between pieces of a layer's products. `load` gives the base in a folder on a device,
    where it is not to be loaded anew.
    With `spec.checkpoint`, a run that was killed goes on where its file says, and ends as it would have ended.
    Closing the iterator early stops the run and leaves nothing behind. Runs on CPU over the quantized weights
    and on CUDA in bfloat16. Raises `ModelError` for a bad spec, base or data file (naming line and field)
    before the first step. LoRA: Hu et al., 2021.
    """
    from models_zoo.llm.training.loop import run

    return run(spec, pause) if load is None else run(spec, pause, load)
