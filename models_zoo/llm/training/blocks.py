"""How the decoder's layers run in training: which are computed again for the gradient, and where a run waits."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from models_zoo.llm.card import BaseConfig
from models_zoo.llm.training.again import Again
from models_zoo.llm.training.kept import Keeping, keeping_of
from models_zoo.llm.training.pause import NEVER

Block = Callable[[Tensor], Tensor]


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
        return keeping_of(self._config, self._dtype.itemsize, self._recompute, self._device, tokens)

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
