"""Examples of unequal length as one batch: padded, or laid end to end so that padding is computed nowhere but in
attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models_zoo.llm.attention import Attention, BidirectionalAttention, CausalAttention

PAD_TO = 8  # attention kernels want lengths of this multiple
WORTH_PACKING = 0.05  # share of padding from which it is


@dataclass(slots=True, frozen=True)
class Layout:
    """Where the tokens of a batch are.

    tokens, positions int64: [B, T] padded, or [1, N] end to end. places int64 [N]: of each token in [B * T], when
    end to end. keep bool [B, T], False at padding.
    """

    tokens: Tensor
    positions: Tensor
    keep: Tensor
    places: Tensor | None

    def attention(self, bidirectional: bool, dtype: torch.dtype) -> Attention:
        """Each example attends to itself alone."""
        inner = BidirectionalAttention(self.keep, dtype) if bidirectional else CausalAttention()
        return inner if self.places is None else PackedAttention(inner, self.keep.shape, self.places)

    def padded(self, hidden: Tensor) -> Tensor:
        """hidden of the tokens as laid out -> [B, T, H], zero at padding."""
        return hidden if self.places is None else _spread(hidden[0], self.keep.shape, self.places)


class PackedAttention:
    """Attention over examples laid end to end, [1, N, heads, D]: spread out for it, and laid end to end again."""

    def __init__(self, inner: Attention, shape: torch.Size, places: Tensor) -> None:
        self._inner, self._shape, self._places = inner, shape, places

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (_spread(x[0], self._shape, self._places) for x in (q, k, v))
        mixed = self._inner(layer, q, k, v)
        return mixed.flatten(0, 1)[self._places][None]


def lay_out(rows: Sequence[Sequence[int]], pad: int, device: torch.device) -> Layout:
    """The token ids of some examples, none empty."""
    lengths = torch.tensor([len(row) for row in rows])
    longest = -(-int(lengths.max()) // PAD_TO) * PAD_TO
    keep = torch.arange(longest) < lengths[:, None]
    positions = torch.arange(longest).expand(len(rows), -1)
    places = None
    if int(lengths.sum()) <= (1 - WORTH_PACKING) * keep.numel():
        places = keep.flatten().nonzero()[:, 0]
        tokens, positions = torch.tensor([[token for row in rows for token in row]]), positions[keep][None]
    else:
        tokens = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows])
    tokens, positions, keep = (part.to(device, non_blocking=True) for part in (tokens, positions, keep))
    return Layout(tokens, positions, keep, None if places is None else places.to(device, non_blocking=True))


def _spread(x: Tensor, shape: torch.Size, places: Tensor) -> Tensor:
    """x [N, ...] -> [B, T, ...], zero at padding."""
    whole = x.new_zeros(shape.numel(), *x.shape[1:])
    return whole.index_copy(0, places, x).view(*shape, *x.shape[1:])
