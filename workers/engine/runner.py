"""The model's side of a step: one forward pass over prompt chunks, single tokens and whole texts, and what
comes out of it. The only part of the engine that touches the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from models_zoo.llm.adapter import load_adapter
from models_zoo.llm.adapter_memory import POOL_RANKS
from models_zoo.llm.batch import Segment
from models_zoo.llm.card import AdapterCard, AdapterError
from models_zoo.llm.decoder import Decoder
from models_zoo.llm.heads import Head, PooledHead, class_probabilities
from models_zoo.llm.lora import LoraPool, PreparedLora
from models_zoo.llm.paged import PagedCache
from workers.engine.generation.request import Generation, Reading
from workers.engine.kept import fill, keep
from workers.engine.scheduling.entry import Piece

Entry = Generation | Reading
KEEP_FROM = 32 << 20  # bytes of an adapter as it is held: a smaller one is soon read from its own files


@dataclass(slots=True, frozen=True)
class PreparedAdapter:
    """A verified adapter in the device's own layout, with its head."""

    card: AdapterCard
    rank: int
    lora: PreparedLora
    head: Head | None

    @property
    def bytes(self) -> int:
        head = () if self.head is None else self.head.parameters()
        return self.lora.bytes + sum(parameter.nbytes for parameter in head)


@dataclass(slots=True)
class Outcome:
    """What a step gave: logits float32 [S, vocabulary] of the generations that come to their next token,
    and of each text its rows (see `Reading`)."""

    logits: Tensor
    sampled: list[Generation] = field(default_factory=list)
    readings: list[tuple[Reading, list[list[float]]]] = field(default_factory=list)


class Runner:
    """Owns the device's memory: weights, paged cache, adapter pool, heads. It takes adapters up to `largest_rank`."""

    def __init__(
        self, decoder: Decoder, cache: PagedCache, pool: LoraPool, largest_rank: int = POOL_RANKS[-1]
    ) -> None:
        self.decoder, self.cache, self.pool = decoder, cache, pool
        self._largest_rank = largest_rank
        self._heads: dict[int, PreparedAdapter] = {}
        self._works_itself = decoder.device.type == "cpu"

    def read(self, folder: Path) -> PreparedAdapter:
        """Verify the adapter in `folder` and bring it into the device's layout; any thread. Raises `AdapterError`."""
        loaded = load_adapter(folder, self.decoder.card)
        if loaded.weights.rank > self._largest_rank:
            raise AdapterError(
                f"{folder}: r is {loaded.weights.rank}, expected at most {self._largest_rank} on this worker "
                "(ROOTSTOCK_ENGINE_RANK)"
            )
        head = None if loaded.head is None else loaded.head.to(self.decoder.device)
        return PreparedAdapter(loaded.card, loaded.weights.rank, self.pool.prepare(loaded.weights), head)

    def keep(self, folder: Path, adapter: PreparedAdapter) -> Callable[[], PreparedAdapter] | None:
        """Leave the adapter's weights as they are held beside its files; any thread. Returns what reads it again, which
        raises `OSError` if that is not what was written, or None where nothing can be, or a small one need not be."""
        if adapter.lora.data.nbytes < KEEP_FROM:
            return None
        path = folder / f"prepared-{self.pool.memory_form.replace(' ', '-')}"
        digest = keep(path, adapter.lora.data)
        card, rank, head = adapter.card, adapter.rank, adapter.head
        padded, keys = adapter.lora.rank, list(adapter.lora.expand)

        def again() -> PreparedAdapter:
            lora = self.pool.blank(padded, keys)
            fill(lora.data, path, digest or "")
            return PreparedAdapter(card, rank, lora, head)

        return again if digest else None

    def place(self, slot: int, adapter: PreparedAdapter) -> None:
        """Put an adapter into a device slot, where it may have `arrived` only later."""
        self.pool.place(slot, adapter.lora, beside=True)
        self._heads[slot] = adapter

    def arrived(self, slot: int) -> bool:
        """Whether what was placed in the slot is there."""
        return self.pool.arrived(slot)

    def settle(self) -> bool:
        """Wait for what was placed; whether there was anything to wait for."""
        return self.pool.settle()

    def clear(self, slot: int) -> None:
        """Give a slot's memory back."""
        self.pool.clear(slot)
        del self._heads[slot]

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy cache blocks, (source, target) each."""
        if pairs:
            self.cache.copy(pairs)

    def run(
        self, pieces: Sequence[Piece[Entry]], held: Mapping[Entry, int], meanwhile: Callable[[], None]
    ) -> Outcome:
        """One forward pass over the pieces; `held` tells in which slot an entry's adapter is.

        `meanwhile` is called while the device works, or before where this thread does the work itself.
        """
        if not pieces:
            return Outcome(torch.empty(0))
        if self._works_itself:
            meanwhile()
        slots = [0 if piece.entry.adapter is None else held[piece.entry] for piece in pieces]
        order = sorted(range(len(pieces)), key=slots.__getitem__)  # rows of an adapter lie together
        pieces, slots = [pieces[index] for index in order], [slots[index] for index in order]
        hidden = self.decoder.forward(
            [self._segment(piece, slot) for piece, slot in zip(pieces, slots, strict=True)],
            self.cache,
            self.pool,
        )
        outcome = self._outcome(pieces, slots, hidden)
        if not self._works_itself:
            meanwhile()
        return outcome

    def _segment(self, piece: Piece[Entry], slot: int) -> Segment:
        entry, stop = piece.entry, piece.start + piece.count
        tokens = entry.tokens(piece.start, stop)
        if not entry.whole:
            return Segment(tokens, piece.start, entry.blocks, slot=slot)
        return Segment(tokens, bidirectional=bool(slot) and self._heads[slot].card.bidirectional, slot=slot)

    def _outcome(self, pieces: Sequence[Piece[Entry]], slots: Sequence[int], hidden: Tensor) -> Outcome:
        sampled: list[Generation] = []
        rows: list[int] = []
        texts: dict[int, list[tuple[Reading, Tensor]]] = {}
        first = 0
        for piece, slot in zip(pieces, slots, strict=True):
            last, entry = first + piece.count, piece.entry
            if isinstance(entry, Reading):
                texts.setdefault(slot, []).append((entry, hidden[first:last]))
            elif piece.start + piece.count == entry.known():
                sampled.append(entry)
                rows.append(last - 1)
            first = last
        logits = self.decoder.logits(_rows(hidden, rows)) if rows else hidden[:0]
        readings = [read for slot, group in texts.items() for read in self._read(slot, group)]
        return Outcome(logits, sampled, readings)

    def _read(
        self, slot: int, group: list[tuple[Reading, Tensor]]
    ) -> list[tuple[Reading, list[list[float]]]]:
        """Run the texts of one slot through its head; without a head they are embedded."""
        adapter = self._heads[slot] if slot else None
        group = [(reading, _told(states)) for reading, states in group]
        if adapter is None or adapter.head is None:
            return [(reading, [_embedding(states)]) for reading, states in group]
        if isinstance(adapter.head, PooledHead):
            rows = self._classes(adapter.head, [states for _, states in group], adapter.card.multi_label)
            return [(reading, [row]) for (reading, _), row in zip(group, rows, strict=True)]
        tags = adapter.head(torch.cat([states for _, states in group])).softmax(dim=-1)
        lengths = [len(states) for _, states in group]
        return [
            (reading, rows.tolist()) for (reading, _), rows in zip(group, tags.split(lengths), strict=True)
        ]

    def _classes(self, head: PooledHead, texts: list[Tensor], multi_label: bool) -> list[list[float]]:
        lengths = torch.tensor([len(states) for states in texts], device=self.decoder.device)
        hidden = pad_sequence(texts, batch_first=True)
        keep = torch.arange(hidden.shape[1], device=hidden.device) < lengths[:, None]
        rows: list[list[float]] = class_probabilities(head(hidden, keep), multi_label).tolist()
        return rows


def _told(states: Tensor) -> Tensor:
    """The hidden states [T, H]; not a number where they overflowed, which the last norm turns into zeros."""
    size = states.abs().sum(dim=-1, keepdim=True)
    return states.masked_fill(~((size > 0) & size.isfinite()), torch.nan)


def _rows(hidden: Tensor, rows: list[int]) -> Tensor:
    """Those rows, without waiting for the device."""
    if rows == list(range(len(hidden))):
        return hidden
    index = torch.tensor(rows, pin_memory=hidden.is_cuda)
    return hidden[index.to(hidden.device, non_blocking=True)]


def _embedding(states: Tensor) -> list[float]:
    """The mean of the hidden states [T, H], brought to length 1."""
    vector: list[float] = torch.nn.functional.normalize(states.mean(dim=0), dim=0).tolist()
    return vector
