"""How the decoder's layers run in training: which are computed again for the gradient, and where a run waits."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from models_zoo.llm.card import BaseConfig
from models_zoo.llm.training.pause import NEVER

KEPT_BYTES = 1 << 30  # of intermediate results, where the spec does not say whether to keep them

Block = Callable[[Tensor], Tensor]


class Blocks:
    """Runs one layer after the other and calls `pause` before each, on the way back too.

    A layer that is computed again keeps its input alone (Chen et al., 2016). recompute: all layers, none (False), or
    as many as must be for the rest to fit in `KEPT_BYTES` (None).
    """

    def __init__(self, config: BaseConfig, dtype: torch.dtype, recompute: bool | None) -> None:
        self.pause: Callable[[], None] = NEVER
        self._config, self._dtype, self._recompute = config, dtype, recompute
        self._again = 0  # how many of the layers to come are computed again

    def start(self, tokens: int) -> Blocks:
        """For a pass over so many tokens."""
        layers = self._config.layers
        if self._recompute is None:
            kept = KEPT_BYTES // (tokens * bytes_per_token(self._config, self._dtype))
            self._again = max(0, layers - kept)
        else:
            self._again = layers if self._recompute else 0
        return self

    def __call__(self, block: Block, x: Tensor) -> Tensor:
        self.pause()
        if x.requires_grad:
            x.register_hook(self._on_the_way_back)  # type: ignore[no-untyped-call]
        self._again -= 1
        if self._again < 0 or not torch.is_grad_enabled():
            return block(x)
        again: Tensor = checkpoint(block, x, use_reentrant=False)
        return again

    def _on_the_way_back(self, gradient: Tensor) -> None:
        self.pause()


def bytes_per_token(config: BaseConfig, dtype: torch.dtype) -> int:
    """What one layer keeps of each token for the gradient: its two inputs in float32, and in `dtype` the two that
    were normalized, queries, keys, values and their mixture, gate, up and their product."""
    hidden, heads = config.hidden_size, config.heads * config.head_size
    return 8 * hidden + dtype.itemsize * (2 * hidden + 4 * heads + 3 * config.intermediate_size)
