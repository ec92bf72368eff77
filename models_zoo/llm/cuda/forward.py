"""One pass of the decoder on CUDA: decode steps as graphs, everything else launched kernel by kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from models_zoo.llm.batch import Segment, check_segments
from models_zoo.llm.cuda.graphs import GraphKey, Graphs
from models_zoo.llm.cuda.inputs import Inputs, Staging
from models_zoo.llm.cuda.kernels import attention, finish, lora, rows
from models_zoo.llm.cuda.matrices import CudaMatrix, Int4Matrix, Narrow
from models_zoo.llm.cuda.pack import Packed, pack
from models_zoo.llm.cuda.policy import WIDE_FROM_ROWS, attention_splits, quantizes_first
from models_zoo.llm.cuda.pool import StackedPool
from models_zoo.llm.paged import PagedCache

if TYPE_CHECKING:
    from models_zoo.llm.decoder import Decoder
    from models_zoo.llm.lora import LoraPool

HIGH_PRIORITY = -1


class CudaForward:
    """A decoder whose linears are all `CudaMatrix`."""

    def __init__(self, decoder: Decoder, rotary: tuple[Tensor, Tensor]) -> None:
        self._decoder, self._rotary = decoder, rotary
        c = decoder.config
        self._attention_rows = attention.tokens_of_a_tile(c.heads, c.kv_heads, decode=False)
        self._pieces = any(isinstance(layer.gate_up, Int4Matrix) for layer in decoder.layers)
        self._staging = Staging(decoder.device)
        self._graphs = Graphs(decoder.device, HIGH_PRIORITY)

    def reads(self, cache: PagedCache | None) -> bool:
        """Whether the kernels can use such a cache."""
        if cache is None:
            return True
        size = cache.block_size
        return cache.data.dtype == torch.bfloat16 and size in (16, 32, 64)

    def __call__(
        self, segments: Sequence[Segment], cache: PagedCache | None, pool: LoraPool | None
    ) -> Tensor:
        """Normalized last hidden states float32 [rows, H], on the device."""
        check_segments(self._decoder.config, segments, cache)
        packed = pack(segments, self._attention_rows, self._pieces)
        stack = self._stack(packed, segments, pool)
        if not packed.decode:
            return self.layers(self._staging.fresh(packed), packed, cache, stack, None)
        inputs = self._staging.resident(packed)
        key = GraphKey(
            packed.extent,
            self._staging.address,
            None if cache is None else (cache.data.data_ptr(), cache.block_size),
            None if stack is None else stack.layout,
        )
        hidden = self._graphs.run(key, lambda side: self.layers(inputs, packed, cache, stack, side))
        return hidden[: packed.rows].clone()

    def _stack(
        self, packed: Packed, segments: Sequence[Segment], pool: LoraPool | None
    ) -> StackedPool | None:
        if not packed.extent.lora:
            return None
        if not isinstance(pool, StackedPool):  # never silently the base
            raise ValueError("pool is not laid out for the kernels, expected one of Decoder.lora_pool")
        for slot in {segment.slot for segment in segments} - {0}:
            pool.adapter(slot)
        return pool

    def layers(
        self,
        inputs: Inputs,
        packed: Packed,
        cache: PagedCache | None,
        pool: StackedPool | None,
        side: torch.cuda.Stream | None,
    ) -> Tensor:
        """All layers over the rows of `inputs` -> float32 [rows, H]; shrinks run on `side` beside products."""
        return _Step(self._decoder, self._rotary, inputs, packed, cache, pool, side).run()


class _Step:
    """One pass: what its layers share."""

    def __init__(
        self,
        decoder: Decoder,
        rotary: tuple[Tensor, Tensor],
        inputs: Inputs,
        packed: Packed,
        cache: PagedCache | None,
        pool: StackedPool | None,
        side: torch.cuda.Stream | None,
    ) -> None:
        self._decoder, self._rotary, self._inputs = decoder, rotary, inputs
        self._cache, self._pool, self._side, self._decode = cache, pool, side, packed.decode
        self._rows, self._tile = packed.extent.rows, packed.extent.tile
        c = decoder.config
        self._shape = (c.heads, c.kv_heads, c.head_size, 16 if cache is None else cache.block_size)

    def run(self) -> Tensor:
        decoder = self._decoder
        residual = rows.embed(self._inputs.tokens, decoder.embedding.codes, decoder.embedding.scale)
        pieces: Tensor | None = None
        added: tuple[Tensor, Tensor, Tensor] | None = None
        for index, layer in enumerate(decoder.layers):
            linears = (layer.qkv, layer.output, layer.gate_up, layer.down)
            into, output, gate_up, down = (cast(CudaMatrix, matrix) for matrix in linears)
            x = self._norm(residual, pieces, layer.attention_norm, into, added)
            qkv = self._qkv(index, self._wide(index, "qkv", into, *x))
            pieces, added = self._back(index, "output", output, self._attend(index, qkv))
            x = self._norm(residual, pieces, layer.mlp_norm, gate_up, added)
            product, delta = self._wide(index, "gate_up", gate_up, *x)
            inner = finish.finish_mlp(product, delta, self._inputs.tiles, self._tile)
            pieces, added = self._back(index, "down", down, inner)
        epsilon = decoder.config.norm_epsilon
        return rows.join_norm(residual, pieces, decoder.norm, epsilon, added, dtype=torch.float32)[0]

    def _norm(
        self,
        residual: Tensor,
        pieces: Tensor | None,
        weight: Tensor,
        following: CudaMatrix,
        added: tuple[Tensor, Tensor, Tensor] | None,
    ) -> tuple[Tensor, Narrow | None]:
        narrow = following.narrow(self._rows)
        return rows.join_norm(residual, pieces, weight, self._decoder.config.norm_epsilon, added, fp8=narrow)

    def _wide(
        self, layer: int, name: str, matrix: CudaMatrix, x: Tensor, narrow: Narrow | None
    ) -> tuple[Tensor, finish.Delta | None]:
        """The product of q|k|v or gate|up, and what adapters add to it."""
        if self._pool is None:
            return matrix.pieces(x, narrow), None
        shrunk = self._shrink(layer, name, x)
        product = matrix.pieces(x, narrow)
        self._join()
        return product, finish.Delta(shrunk, self._pool.expand[layer, name])

    def _back(
        self, layer: int, name: str, matrix: CudaMatrix, x: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor] | None]:
        """A product that is added to the residual, and what is still to be added for adapters."""
        early = quantizes_first(self._rows)
        narrow = self._narrow(matrix, x) if early else None
        shrunk = None if self._pool is None else self._shrink(layer, name, x)
        pieces = matrix.pieces(x, narrow if early else self._narrow(matrix, x))
        if self._pool is None or shrunk is None:
            return pieces, None
        self._join()
        expand = self._pool.expand[layer, name]
        if self._rows < WIDE_FROM_ROWS:
            return pieces, (shrunk, expand, self._inputs.slots)
        lora.expand_add(pieces[0], shrunk, expand, self._inputs.tiles, self._tile)
        return pieces, None

    def _narrow(self, matrix: CudaMatrix, x: Tensor) -> Narrow | None:
        return rows.quantize(x) if matrix.narrow(self._rows) else None

    def _shrink(self, layer: int, name: str, x: Tensor) -> Tensor:
        assert self._pool is not None  # noqa: S101
        pool, key, inputs = self._pool, (layer, name), self._inputs
        tiles = inputs.slots if self._tile == 1 else inputs.tiles
        if self._side is None:
            return lora.shrink(x, pool.shrink[key], pool.scale[key], tiles, self._tile, pool.rank)
        self._side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._side):
            return lora.shrink(x, pool.shrink[key], pool.scale[key], tiles, self._tile, pool.rank)

    def _join(self) -> None:
        if self._side is not None:
            torch.cuda.current_stream().wait_stream(self._side)

    def _qkv(self, layer: int, product: tuple[Tensor, finish.Delta | None]) -> Tensor:
        inputs, cache = self._inputs, None if self._cache is None else self._cache.data
        placed = (inputs.positions, inputs.bases, inputs.tables)
        return finish.finish_qkv(
            *product, inputs.tiles, placed, self._rotary, cache, layer, self._shape, self._tile
        )

    def _attend(self, layer: int, qkv: Tensor) -> Tensor:
        inputs, c = self._inputs, self._decoder.config
        out = torch.empty(self._rows, c.heads * c.head_size, dtype=torch.bfloat16, device=qkv.device)
        if self._cache is not None and inputs.paged.shape[1]:
            splits = attention_splits(self._rows, c.kv_heads) if self._decode else 1
            attention.attend(
                qkv,
                self._cache.data,
                inputs.tables,
                inputs.paged,
                layer,
                self._shape,
                out,
                self._decode,
                splits,
            )
        if inputs.own.shape[1]:
            attention.attend(qkv, None, inputs.tables, inputs.own, layer, self._shape, out, decode=False)
        return out
