"""A batch as the kernels read it: one int32 array, so that a step needs one copy to the device. numpy alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from models_zoo.llm.batch import Segment
from models_zoo.llm.cuda.policy import decode_bucket, lora_tile, tile_bucket, tile_rows

Ints = NDArray[np.int32]
TILE_FIELDS, ATTENTION_FIELDS = 3, 5


@dataclass(slots=True, frozen=True)
class Extent:
    """How much of everything a batch has, or a graph has room for: rows, LoRA tiles, attention tiles over the
    cache and over the batch's own rows. `lora`: some row has an adapter. `tile`: rows that a LoRA tile may have."""

    rows: int
    tiles: int
    paged: int
    own: int
    lora: bool
    tile: int

    def sections(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        """Where each part begins in the array, and its shape; the block tables follow, from "tables" on."""
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
            ("tokens", "positions", "slots", "bases"), (self.rows,)
        )
        shapes["tiles"] = (TILE_FIELDS, self.tiles)
        shapes["paged"] = (ATTENTION_FIELDS, self.paged)
        shapes["own"] = (ATTENTION_FIELDS, self.own)
        sections, start = {}, 0
        for name, shape in shapes.items():
            sections[name] = (start, shape)
            start += int(np.prod(shape))
        sections["tables"] = (start, ())
        return sections


@dataclass(slots=True, frozen=True)
class Packed:
    """`data` holds the sections of `extent`, then the block tables. `decode`: one row of every sequence."""

    extent: Extent
    data: Ints
    rows: int
    decode: bool


def pack(segments: Sequence[Segment], attention_rows: int, pieces: bool = False) -> Packed:
    """The batch, padded to a bucket when it is a decode step that has one.

    attention_rows: consecutive rows of a sequence that are computed together (see `attention`). pieces: see
    `lora_tile`. Padding has position -1, slot 0 and no block table; empty tiles have count 0.
    """
    lengths = np.fromiter((len(segment.tokens) for segment in segments), np.int32, len(segments))
    count = int(lengths.sum())
    decode = count == len(segments) and all(segment.blocks is not None for segment in segments)
    bucket = decode_bucket(count) if decode else None
    decode = bucket is not None
    rows = bucket or count
    slots = np.zeros(rows, np.int32)
    slots[:count] = np.repeat([segment.slot for segment in segments], lengths)
    tiles, tile = _tiles(slots, decode, pieces)
    starts = np.fromiter((segment.start for segment in segments), np.int32, len(segments))
    bases, tables = _tables(segments)
    firsts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int32)
    if decode:
        own = np.zeros((ATTENTION_FIELDS, 0), np.int32)
        paged = np.zeros((ATTENTION_FIELDS, rows), np.int32)
        paged[:, :count] = [firsts, lengths, starts + 1, bases, starts + 1]
        tiles = _widened(tiles, tile_bucket(tiles.shape[1]))
    else:
        paged, own = _attention_tiles(segments, firsts, bases, attention_rows)
    extent = Extent(rows, tiles.shape[1], paged.shape[1], own.shape[1], bool(slots.any()), tile)
    positions = np.repeat(starts - firsts, lengths) + np.arange(count, dtype=np.int32)
    tokens = _numbers(segment.tokens for segment in segments)
    padded = [_padded(tokens, rows, 0), _padded(positions, rows, -1), slots]
    padded.append(_padded(np.repeat(bases, lengths), rows, -1))
    flat = [*padded, tiles.ravel(), paged.ravel(), own.ravel(), tables]
    return Packed(extent, np.concatenate(flat, dtype=np.int32), count, decode)


def _tiles(slots: Ints, decode: bool, pieces: bool) -> tuple[Ints, int]:
    """The LoRA tiles of a batch, and how many rows they may have."""
    rows, lora = len(slots), bool(slots.any())
    tiles = lora_tiles(slots, tile_rows(rows), lora)
    tile = lora_tile(rows, tiles.shape[1], decode, pieces)
    return (lora_tiles(slots, tile, lora) if tile < tile_rows(rows) else tiles), tile


def lora_tiles(slots: Ints, size: int, lora: bool) -> Ints:
    """[3, T]: slot, first row and rows of each run of at most `size` rows of one slot; all rows are in one."""
    rows = len(slots)
    if lora:
        cuts = np.flatnonzero(np.diff(slots)) + 1
        ends = [*cuts.tolist(), rows]
    else:
        ends = [rows]
    firsts, counts, first = [], [], 0
    for end in ends:
        for start in range(first, end, size):
            firsts.append(start)
            counts.append(min(size, end - start))
        first = end
    return np.array([slots[firsts], firsts, counts], np.int32)


def _tables(segments: Sequence[Segment]) -> tuple[Ints, Ints]:
    """Where each segment's block table begins, -1 without one, and all of them."""
    sizes = [0 if segment.blocks is None else len(segment.blocks) for segment in segments]
    bases = np.cumsum([0, *sizes[:-1]], dtype=np.int32)
    flat = _numbers(segment.blocks or () for segment in segments)
    return np.where([segment.blocks is None for segment in segments], -1, bases).astype(np.int32), flat


def _attention_tiles(segments: Sequence[Segment], firsts: Ints, bases: Ints, size: int) -> tuple[Ints, Ints]:
    """The tiles over the cache, and those over the batch's own rows."""
    paged: list[tuple[int, int, int, int, int]] = []
    own: list[tuple[int, int, int, int, int]] = []
    for segment, first, base in zip(segments, firsts.tolist(), bases.tolist(), strict=True):
        length = len(segment.tokens)
        stop = segment.start + length
        for start in range(0, length, size):
            seen = stop if segment.bidirectional else segment.start + start + 1
            where = first if segment.blocks is None else base
            tile = (first + start, min(size, length - start), seen, where, stop)
            (own if segment.blocks is None else paged).append(tile)
    return _fields(paged), _fields(own)


def _fields(tiles: list[tuple[int, int, int, int, int]]) -> Ints:
    return np.array(tiles, np.int32).reshape(-1, ATTENTION_FIELDS).T


def _widened(tiles: Ints, count: int) -> Ints:
    return np.pad(tiles, ((0, 0), (0, count - tiles.shape[1])))


def _numbers(parts: Iterable[Sequence[int]]) -> Ints:
    return np.array(list(chain.from_iterable(parts)), np.int32)


def _padded(values: Ints, size: int, fill: int) -> Ints:
    return np.pad(values, (0, size - len(values)), constant_values=fill)
