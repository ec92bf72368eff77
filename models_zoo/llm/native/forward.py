"""One pass of the decoder in a single call of our own kernels."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models_zoo.llm.batch import Segment, check_segments
from models_zoo.llm.native import MatrixStruct, ran
from models_zoo.llm.paged import PagedCache

if TYPE_CHECKING:
    from models_zoo.llm.decoder import Decoder
    from models_zoo.llm.lora import LoraPool, PreparedLora

LINEARS = ("qkv", "output", "gate_up", "down")
LANES = 16  # block sizes are multiples of it


class LayerStruct(ctypes.Structure):
    """`Layer` of forward.cpp."""

    _fields_ = (
        ("attention_norm", ctypes.c_void_p),
        ("mlp_norm", ctypes.c_void_p),
        ("linear", MatrixStruct * 4),
    )


class ModelStruct(ctypes.Structure):
    """`Model` of forward.cpp."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("hidden", "inner", "layers", "heads", "kv_heads", "head_size")),
        ("epsilon", ctypes.c_float),
        *((name, ctypes.c_void_p) for name in ("codes", "scale", "cosine", "sine", "norm")),
        ("layer", ctypes.POINTER(LayerStruct)),
    )


class AdapterStruct(ctypes.Structure):
    """`Adapter` of lora.h."""

    _fields_ = (
        ("rank", ctypes.c_int32),
        ("shrink", ctypes.POINTER(ctypes.c_void_p)),
        ("expand", ctypes.POINTER(ctypes.c_void_p)),
    )


class SegmentStruct(ctypes.Structure):
    """`Segment` of forward.cpp."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("first", "rows", "start", "bidirectional")),
        ("blocks", ctypes.c_void_p),
        ("adapter", ctypes.c_void_p),
    )


class CacheStruct(ctypes.Structure):
    """`Cache` of forward.cpp."""

    _fields_ = (("data", ctypes.c_void_p), ("block_size", ctypes.c_int32))


class BatchStruct(ctypes.Structure):
    """`Batch` of forward.cpp."""

    _fields_ = (
        ("tokens", ctypes.c_void_p),
        ("segments", ctypes.c_void_p),
        ("rows", ctypes.c_int32),
        ("count", ctypes.c_int32),
        ("cache", CacheStruct),
    )


def adapter_struct(prepared: PreparedLora, layers: int) -> AdapterStruct:
    """The kernels' table of a prepared adapter, which must outlive it."""
    tables = [
        (ctypes.c_void_p * (4 * layers))(
            *(
                matrices[layer, name].data_ptr() if (layer, name) in matrices else None
                for layer in range(layers)
                for name in LINEARS
            )
        )
        for matrices in (prepared.shrink, prepared.expand)
    ]
    return AdapterStruct(prepared.rank, *tables)


class NativeForward:
    """A decoder whose linears are all panels, as the kernels see it."""

    def __init__(self, kernels: ctypes.CDLL, decoder: Decoder, cosine: Tensor, sine: Tensor) -> None:
        c = decoder.config
        self._kernels = kernels
        self._decoder = decoder  # keeps what the pointers below point to
        self._layers = (LayerStruct * c.layers)(
            *(
                LayerStruct(
                    layer.attention_norm.data_ptr(),
                    layer.mlp_norm.data_ptr(),
                    (MatrixStruct * 4)(*(getattr(layer, name).struct for name in LINEARS)),
                )
                for layer in decoder.layers
            )
        )
        sizes = (c.hidden_size, c.intermediate_size, c.layers, c.heads, c.kv_heads, c.head_size)
        tensors = (decoder.embedding.codes, decoder.embedding.scale, cosine, sine, decoder.norm)
        pointers = (tensor.data_ptr() for tensor in tensors)
        self._model = ModelStruct(*sizes, c.norm_epsilon, *pointers, self._layers)
        self._tables = (cosine, sine)

    def reads(self, cache: PagedCache | None) -> bool:
        """Whether the kernels can use such a cache."""
        return cache is None or (cache.data.dtype == torch.bfloat16 and cache.block_size % LANES == 0)

    def __call__(
        self, segments: Sequence[Segment], cache: PagedCache | None, pool: LoraPool | None
    ) -> Tensor:
        """Normalized last hidden states float32 [rows, H]. Raises `MemoryError`."""
        tokens = [token for segment in segments for token in segment.tokens]
        check_segments(self._decoder.config, segments, cache)
        token_array = (ctypes.c_int32 * len(tokens))(*tokens)
        tables = [block for segment in segments for block in segment.blocks or ()]
        table_array = (ctypes.c_int32 * len(tables))(*tables)
        described = self._described(segments, ctypes.addressof(table_array), pool)
        data = None if cache is None else cache.data.data_ptr()
        batch = BatchStruct(
            ctypes.addressof(token_array),
            ctypes.addressof(described),
            len(tokens),
            len(segments),
            CacheStruct(data, 0 if cache is None else cache.block_size),
        )
        out = torch.empty(len(tokens), self._decoder.config.hidden_size)
        ran(
            self._kernels.forward(
                ctypes.byref(self._model),
                ctypes.byref(batch),
                ctypes.c_void_p(out.data_ptr()),
                torch.get_num_threads(),
            )
        )
        return out

    def _described(
        self, segments: Sequence[Segment], table: int, pool: LoraPool | None
    ) -> ctypes.Array[SegmentStruct]:
        described = (SegmentStruct * len(segments))()
        first = 0
        for entry, segment in zip(described, segments, strict=True):
            entry.first, entry.rows, entry.start = first, len(segment.tokens), segment.start
            entry.bidirectional = segment.bidirectional
            first += len(segment.tokens)
            if segment.blocks is not None:
                entry.blocks = table
                table += 4 * len(segment.blocks)
            if segment.slot and pool is not None:
                entry.adapter = self._adapter(pool, segment.slot)
        return described

    def _adapter(self, pool: LoraPool, slot: int) -> int:
        struct = pool.adapter(slot).struct
        if struct is None:  # never silently the base
            raise ValueError("pool is not laid out for the kernels, expected one of Decoder.lora_pool")
        return ctypes.addressof(struct)
