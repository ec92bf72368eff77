"""The model's side of a step: prompts in, one more token for everyone, texts through their heads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models_zoo.llm.adapter import LoadedAdapter
from models_zoo.llm.attention import (
    Attention,
    BidirectionalAttention,
    CausalAttention,
    DecodeAttention,
    KeyValueCache,
    PrefillAttention,
)
from models_zoo.llm.decoder import Decoder, Project
from models_zoo.llm.heads import Head, PooledHead, class_probabilities
from models_zoo.llm.lora import LoraPool
from workers.engine.requests import Generation, Reading
from workers.engine.sampling import next_tokens


class Runner:
    """Owns the device's memory: weights, cache, adapter pool, heads. Used by the engine thread alone."""

    def __init__(self, decoder: Decoder, sequences: int, context: int, slots: int) -> None:
        self.decoder = decoder
        self.device = decoder.device
        self.cache = KeyValueCache(decoder.config, sequences, context, decoder.dtype, decoder.device)
        self.pool = LoraPool(decoder.config, decoder.device, decoder.dtype)
        self._heads: dict[int, tuple[LoadedAdapter, Head | None]] = {}
        self._project: tuple[tuple[int, ...], Project] | None = None

    def place(self, slot: int, adapter: LoadedAdapter) -> None:
        """Put an adapter's weights and head into a slot."""
        self.pool.place(slot, self.pool.prepare(adapter.weights))
        head = None if adapter.head is None else adapter.head.to(self.device)
        self._heads[slot] = (adapter, head)
        self._project = None

    def prefill(self, requests: Sequence[Generation]) -> list[int]:
        """Read prompts together and choose each one's first token."""
        lengths = [len(request.prompt) for request in requests]
        tokens, _ = self._padded([request.prompt for request in requests])
        attend = PrefillAttention(self.cache, [request.slot for request in requests], lengths)
        project = self.pool.project([request.lora_slot for request in requests], tokens.shape[1])
        hidden = self.decoder.hidden(tokens, self._positions(tokens), attend, project)
        last = hidden[torch.arange(len(requests)), torch.tensor(lengths) - 1]
        return next_tokens(self.decoder.logits(last), requests)

    def decode(self, requests: Sequence[Generation]) -> list[int]:
        """One more token for each request; request b sits in cache slot b."""
        tokens = torch.tensor([[request.generated[-1]] for request in requests], device=self.device)
        positions = torch.tensor([request.position for request in requests], device=self.device)
        project = self._decode_project(tuple(request.lora_slot for request in requests))
        attend = DecodeAttention(self.cache, positions)
        hidden = self.decoder.hidden(tokens, positions[:, None], attend, project)
        return next_tokens(self.decoder.logits(hidden[:, 0]), requests)

    def move(self, source: int, target: int, tokens: int) -> None:
        """Copy a sequence's cache to another slot."""
        self.cache.move(source, target, tokens)

    def read(self, readings: Sequence[Reading]) -> list[list[list[float]]]:
        """Each text's probabilities, in order: one row for a class head, one row a token for a tag head."""
        results: dict[int, list[list[float]]] = {}
        for bidirectional in (True, False):
            chosen = [
                index
                for index, reading in enumerate(readings)
                if self._heads[reading.lora_slot][0].card.bidirectional is bidirectional
            ]
            if chosen:
                rows = self._read_together([readings[index] for index in chosen], bidirectional)
                results.update(zip(chosen, rows, strict=True))
        return [results[index] for index in range(len(readings))]

    def _read_together(self, readings: Sequence[Reading], bidirectional: bool) -> list[list[list[float]]]:
        tokens, keep = self._padded([reading.ids for reading in readings])
        attend: Attention = (
            BidirectionalAttention(keep, self.decoder.dtype) if bidirectional else CausalAttention()
        )
        slots = [reading.lora_slot for reading in readings]
        project = self.pool.project(slots, tokens.shape[1])
        hidden = self.decoder.hidden(tokens, self._positions(tokens), attend, project)
        results: dict[int, list[list[float]]] = {}
        for slot in sorted(set(slots)):
            rows = [row for row, other in enumerate(slots) if other == slot]
            results.update(zip(rows, self._head_rows(slot, hidden[rows], keep[rows]), strict=True))
        return [results[row] for row in range(len(readings))]

    def _head_rows(self, slot: int, hidden: Tensor, keep: Tensor) -> list[list[list[float]]]:
        adapter, head = self._heads[slot]
        if isinstance(head, PooledHead):
            rows: list[list[float]] = class_probabilities(
                head(hidden, keep), adapter.card.multi_label
            ).tolist()
            return [[row] for row in rows]
        if head is None:
            raise ValueError(f"adapter {adapter.card.name} has no head")
        probabilities: list[list[list[float]]] = head(hidden).softmax(dim=-1).tolist()
        return [row[:length] for row, length in zip(probabilities, keep.sum(dim=1).tolist(), strict=True)]

    def _decode_project(self, slots: tuple[int, ...]) -> Project:
        """The projection changes only when sequences come or go: its row tables are kept between steps."""
        if self._project is None or self._project[0] != slots:
            self._project = (slots, self.pool.project(slots))
        return self._project[1]

    def _padded(self, ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Token ids int64 [B, T], padded at the right, and bool [B, T], False at padding."""
        longest = max(map(len, ids))
        pad = self.decoder.card.pad_token
        tokens = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in ids])
        lengths = torch.tensor([len(row) for row in ids])
        keep = torch.arange(longest) < lengths[:, None]
        return tokens.to(self.device), keep.to(self.device)

    def _positions(self, tokens: Tensor) -> Tensor:
        return torch.arange(tokens.shape[1], device=self.device).expand(tokens.shape)
