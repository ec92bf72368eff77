"""The linears of a base in their resident form."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from models_zoo.llm.card import BaseCard
from models_zoo.llm.cuda.kernels.eight import to_fp8
from models_zoo.llm.cuda.matrices import BFloat16Matrix, CudaMatrix, EightBitMatrix, Int4Matrix
from models_zoo.llm.cuda.policy import Card, CudaForm, choose_form
from models_zoo.llm.format import BaseFile
from models_zoo.llm.forms import FUSED, fused, head_name
from models_zoo.llm.quant import Q4Matrix, Q8Matrix, QuantizedMatrix, per_row_int8
from models_zoo.llm.shapes import EMBEDDINGS, expected_shapes

BYTES_OF_A_WEIGHT: dict[CudaForm, float] = {"int4": 0.625, "fp8": 1.0, "bfloat16": 2.0}


def device_card(device: torch.device) -> Card:
    """What the policy asks of a device."""
    return Card(torch.cuda.get_device_capability(device), torch.cuda.mem_get_info(device)[0])


def weight_bytes(card: BaseCard, file: BaseFile) -> dict[CudaForm, int]:
    """Bytes of each resident form that the base can take; int4 only where linears are in 4 bits on disk."""
    shapes = expected_shapes(card.config, "lm_head.codes" in file)
    inner = sum(rows * columns for name, (rows, *rest) in shapes.items() for columns in rest
                if name not in EMBEDDINGS)  # fmt: skip
    ends = card.config.vocabulary * card.config.hidden_size
    sizes = {form: int((inner + ends) * per + ends * 1.1) for form, per in BYTES_OF_A_WEIGHT.items()}
    four = any(f"layers.0.{part}.nibbles" in file for parts in FUSED.values() for part in parts)
    return sizes if four else {form: size for form, size in sizes.items() if form != "int4"}


def cuda_linears(
    card: BaseCard, file: BaseFile, device: torch.device, form: CudaForm | None, sequences: int
) -> tuple[Callable[[int, str], CudaMatrix], CudaMatrix]:
    """The linears by (layer, fused name), and the head. Raises `ModelError`, see `choose_form`.

    In the form int4 what the file holds in 8 bits is bfloat16, and the head int8.
    """
    chosen = choose_form(form, device_card(device), weight_bytes(card, file), sequences)

    def linear(layer: int, name: str) -> CudaMatrix:
        return resident(fused(file, layer, name), device, chosen)

    weight = dequantized(file.q8(head_name(file)), device)
    if chosen == "bfloat16":
        return linear, BFloat16Matrix(weight.bfloat16())
    return linear, EightBitMatrix(*(to_fp8(weight) if chosen == "fp8" else per_row_int8(weight)))


def resident(matrix: QuantizedMatrix, device: torch.device, form: CudaForm) -> CudaMatrix:
    """One linear in its form on `device`."""
    if form == "int4" and isinstance(matrix, Q4Matrix):
        return Int4Matrix.of(matrix, device)
    weight = dequantized(matrix, device)
    return EightBitMatrix(*to_fp8(weight)) if form == "fp8" else BFloat16Matrix(weight.bfloat16())


def dequantized(matrix: QuantizedMatrix, device: torch.device) -> Tensor:
    """float32 on `device`, where the work is done if the form allows it."""
    if isinstance(matrix, Q4Matrix):
        parts = (matrix.nibbles, matrix.scale, matrix.minimum)
        return Q4Matrix(*(part.to(device) for part in parts)).dequantize()
    if isinstance(matrix, Q8Matrix):
        return Q8Matrix(matrix.codes.to(device), matrix.scale.to(device)).dequantize()
    return matrix.dequantize().to(device)
