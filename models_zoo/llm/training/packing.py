"""Rows of unequal length as one batch: padded, or laid end to end so that padding is computed nowhere but in
attention. A row is one example, or several packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models_zoo.llm.attention import (
    Attention,
    BidirectionalAttention,
    CausalAttention,
    DocumentAttention,
)

PAD_TO = 8  # attention kernels want lengths of this multiple
WORTH_PACKING = 0.05  # share of padding from which it is


@dataclass(slots=True, frozen=True)
class Layout:
    """Where the tokens of a batch are.

    tokens, positions int64: [B, T] padded, or [1, N] end to end. places int64 [N]: of each token in [B * T], when
    end to end. keep bool [B, T], False at padding. documents int64 [B, T]: the number of each token's example in
    its row, -1 at padding; None where each row is one example.
    """

    tokens: Tensor
    positions: Tensor
    keep: Tensor
    places: Tensor | None
    documents: Tensor | None = None

    def attention(self, bidirectional: bool, dtype: torch.dtype) -> Attention:
        """Each example attends to itself alone."""
        inner = self._inner(bidirectional, dtype)
        return inner if self.places is None else PackedAttention(inner, self.keep.shape, self.places)

    def _inner(self, bidirectional: bool, dtype: torch.dtype) -> Attention:
        if self.documents is not None:
            return DocumentAttention(self.documents, bidirectional)
        return BidirectionalAttention(self.keep, dtype) if bidirectional else CausalAttention()

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


def lay_out(
    rows: Sequence[Sequence[int]], pad: int, device: torch.device, packed: Sequence[Sequence[int]] = ()
) -> Layout:
    """The token ids of some rows, none empty. packed: of each row the lengths of its examples, none where it is one."""
    lengths = torch.tensor([len(row) for row in rows])
    longest = -(-int(lengths.max()) // PAD_TO) * PAD_TO
    keep = torch.arange(longest) < lengths[:, None]
    positions = torch.arange(longest).expand(len(rows), -1)
    documents = places = None
    if any(packed):
        positions, documents = _within_documents(packed, lengths.tolist(), longest)
    if int(lengths.sum()) <= (1 - WORTH_PACKING) * keep.numel():
        places = keep.flatten().nonzero()[:, 0]
        tokens, positions = torch.tensor([[token for row in rows for token in row]]), positions[keep][None]
    else:
        tokens = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows])

    def placed(part: Tensor | None) -> Tensor | None:
        return None if part is None else part.to(device, non_blocking=True)

    tokens, positions, keep = (part.to(device, non_blocking=True) for part in (tokens, positions, keep))
    return Layout(tokens, positions, keep, placed(places), placed(documents))


def _within_documents(
    packed: Sequence[Sequence[int]], lengths: Sequence[int], longest: int
) -> tuple[Tensor, Tensor]:
    """Positions [B, T] that begin anew with each example, and its number in the row, -1 at padding."""
    positions = torch.zeros(len(packed), longest, dtype=torch.int64)
    documents = torch.full((len(packed), longest), -1)
    for row, parts in enumerate(packed):
        start = 0
        for number, length in enumerate(parts or [lengths[row]]):
            positions[row, start : start + length] = torch.arange(length)
            documents[row, start : start + length] = number
            start += length
    return positions, documents


def _spread(x: Tensor, shape: torch.Size, places: Tensor) -> Tensor:
    """x [N, ...] -> [B, T, ...], zero at padding."""
    whole = x.new_zeros(shape.numel(), *x.shape[1:])
    return whole.index_copy(0, places, x).view(*shape, *x.shape[1:])
