"""How the decoder's layers run in training: which are computed again for the gradient, and where a run waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from models_zoo.llm.card import BaseConfig
from models_zoo.llm.training.again import Again
from models_zoo.llm.training.pause import NEVER

# of intermediate results, where the spec does not say whether to keep them
KEPT_BYTES = {"cpu": 1 << 30, "cuda": 3 << 29}

Block = Callable[[Tensor], Tensor]


@dataclass(slots=True, frozen=True)
class Keeping:
    """Layers that keep all they compute, which are the last, and those before them that keep gate|up's product."""

    whole: int
    wide: int


class Blocks:
    """Runs one layer after the other and calls `pause` before each, on the way back too.

    A layer that is computed again keeps its input (see `again`). recompute: all layers, none (False), or as many as
    must be for what is kept to fit in `KEPT_BYTES` (None).
    """

    def __init__(
        self, config: BaseConfig, dtype: torch.dtype, recompute: bool | None, device: str = "cpu"
    ) -> None:
        self.pause: Callable[[], None] = NEVER
        self._config, self._dtype, self._recompute, self._device = config, dtype, recompute, device
        self._left, self._keeping = 0, Keeping(0, 0)  # layers to come, and what they keep

    def start(self, tokens: int) -> Blocks:
        """For a pass over so many tokens."""
        self._left = self._config.layers
        self._keeping = self.keeping(tokens)
        return self

    def keeping(self, tokens: int) -> Keeping:
        """What is kept of a pass over so many tokens."""
        layers = self._config.layers
        if self._recompute is not None:
            return Keeping(0 if self._recompute else layers, 0)
        whole = tokens * bytes_per_token(self._config, self._dtype)
        wide = tokens * self._dtype.itemsize * 2 * self._config.intermediate_size
        return what_fits(layers, KEPT_BYTES[self._device], whole, wide)

    def __call__(self, block: Block, x: Tensor) -> Tensor:
        self.pause()
        if x.requires_grad:
            x.register_hook(self._on_the_way_back)  # type: ignore[no-untyped-call]
        left, self._left = self._left, self._left - 1
        if left <= self._keeping.whole or not torch.is_grad_enabled():
            return block(x)
        both = Again(keep=left <= self._keeping.whole + self._keeping.wide)
        again: Tensor = checkpoint(block, x, use_reentrant=False, context_fn=both.contexts)
        return again

    def _on_the_way_back(self, gradient: Tensor) -> None:
        self.pause()


def what_fits(layers: int, budget: int, whole: int, wide: int) -> Keeping:
    """As much as `budget` holds: `whole` and `wide` are the bytes that a layer keeps when it is not computed again,
    and when gate|up's product is not. That product comes first: it is half of a layer's time, a third of its bytes.
    """
    some = min(layers, budget // wide)
    all_ = min(some, (budget - some * wide) // (whole - wide))
    return Keeping(all_, some - all_)


def bytes_per_token(config: BaseConfig, dtype: torch.dtype) -> int:
    """What one layer keeps of each token for the gradient: its two inputs in float32, and in `dtype` the two that
    were normalized, queries, keys, values and their mixture, gate, up and their product."""
    hidden, heads = config.hidden_size, config.heads * config.head_size
    return 8 * hidden + dtype.itemsize * (2 * hidden + 4 * heads + 3 * config.intermediate_size)
