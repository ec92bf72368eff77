"""A decoder of Llama-3-8B's shape with random weights made on the device: for speed, never for quality."""

from __future__ import annotations

import math
from importlib.util import find_spec

import torch

if not torch.cuda.is_available() or find_spec("triton") is None:
    raise SystemExit("this measurement needs a CUDA device and Triton")

from models_zoo.llm.card import BaseCard, BaseConfig
from models_zoo.llm.cuda.matrices import BFloat16Matrix, CudaMatrix, EightBitMatrix, Int4Matrix
from models_zoo.llm.cuda.policy import CudaForm
from models_zoo.llm.cuda.pool import StackedPool, row_bytes
from models_zoo.llm.decoder import Decoder, Layer
from models_zoo.llm.lora import PreparedLora
from models_zoo.llm.quant import Q8Matrix

LLAMA_8B = BaseConfig(4096, 14336, 32, 32, 8, 128, 128256, 8192, 500000.0, 1e-5)
DEVICE = torch.device("cuda")


def random_decoder(form: CudaForm, config: BaseConfig = LLAMA_8B) -> Decoder:
    """Resident in `form`; the head int8 with int4, as when loaded."""
    c = config
    heads = c.heads * c.head_size
    shapes = {
        "qkv": (heads + 2 * c.kv_heads * c.head_size, c.hidden_size),
        "output": (c.hidden_size, heads),
        "gate_up": (2 * c.intermediate_size, c.hidden_size),
        "down": (c.hidden_size, c.intermediate_size),
    }
    ones = torch.ones(c.hidden_size, device=DEVICE)
    layers = [
        Layer(ones, mlp_norm=ones, **{name: _matrix(form, *shape) for name, shape in shapes.items()})
        for _ in range(c.layers)
    ]
    codes = torch.randint(-127, 128, (c.vocabulary, c.hidden_size), device=DEVICE).to(torch.int8)
    scale = torch.full((c.vocabulary, c.hidden_size // 32), 0.0003, dtype=torch.float16, device=DEVICE)
    head = _eight(c.vocabulary, c.hidden_size, torch.int8) if form == "int4" else None
    head_matrix = head or _matrix(form, c.vocabulary, c.hidden_size)
    card = BaseCard("random-8b", "0" * 64, 0, c, 1, 2, 2, "", "", "")
    decoder = Decoder(card, Q8Matrix(codes, scale), layers, ones, head_matrix, torch.bfloat16)
    decoder.use_cuda()
    return decoder


def weight_bytes(decoder: Decoder) -> int:
    """Bytes of the linears and the head, which a decode step reads once."""
    matrices = [getattr(layer, name) for layer in decoder.layers for name in Layer.__slots__]
    tensors = [
        tensor
        for matrix in [*matrices, decoder.head]
        for tensor in getattr(matrix, "__dict__", {}).values()
        if isinstance(tensor, torch.Tensor)
    ]
    return sum(tensor.nbytes for tensor in tensors)


def filled_pool(decoder: Decoder, adapters: int) -> StackedPool:
    """A pool whose every slot holds random numbers of rank 16 on all linears."""
    pool = decoder.lora_pool(adapters)
    assert isinstance(pool, StackedPool)
    for slot in range(1, adapters + 1):
        pool.place(slot, random_adapter(pool))
    return pool


def random_adapter(pool: StackedPool, rank: int = 16) -> PreparedLora:
    """Random numbers on all linears, on the device, as such a pool holds them."""
    size = row_bytes(pool.config, pool.keys, rank, pool.form)
    found = pool.prepared(rank, torch.empty(size, dtype=torch.uint8, device=DEVICE), pool.keys)
    for codes in (*found.shrink.values(), *found.expand.values()):
        codes.random_(-127, 128)
    for scale in found.scale.values():
        scale.fill_((0.01 / 73) ** 2)
    return found


def _matrix(form: CudaForm, rows: int, columns: int) -> CudaMatrix:
    if form == "int4":
        nibbles = torch.randint(0, 256, (rows, columns // 2), device=DEVICE, dtype=torch.int32).to(
            torch.uint8
        )
        scale = 0.15 / math.sqrt(columns) * (0.9 + 0.2 * torch.rand(rows, columns // 32, device=DEVICE))
        pair = torch.stack([scale.bfloat16(), (0.5 * scale).bfloat16()], -1).view(torch.int32)[..., 0]
        return Int4Matrix(nibbles, pair.contiguous())
    if form == "fp8":
        return _eight(rows, columns, torch.float8_e4m3fn)
    weight = torch.empty(rows, columns, dtype=torch.bfloat16, device=DEVICE)
    return BFloat16Matrix(weight.normal_(0, 0.7 / math.sqrt(columns)))


def _eight(rows: int, columns: int, dtype: torch.dtype) -> EightBitMatrix:
    weight = torch.empty(rows, columns, dtype=torch.bfloat16, device=DEVICE).normal_(0, 50)
    codes = weight.clamp_(-120, 120).to(dtype)
    return EightBitMatrix(codes, torch.full((rows,), 0.014 / math.sqrt(columns), device=DEVICE))
