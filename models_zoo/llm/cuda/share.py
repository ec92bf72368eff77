"""A base that lies on a CUDA device, described so that another process of the same host can map it (CUDA IPC).

The description is plain JSON values. It is good for as long as the process that made it lives, and for the device it
lies on; whoever maps it adds no memory of weights. Containers share their ipc and pid namespaces for it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from models_zoo.llm.card import BaseCard, ModelError
from models_zoo.llm.cuda.description import (
    NORMS,
    Header,
    SharedBase,
    SharedStorage,
    SharedTensor,
    checked,
    dtype_of,
)
from models_zoo.llm.cuda.matrices import BFloat16Matrix, EightBitMatrix, Int4Matrix
from models_zoo.llm.decoder import Decoder, Layer
from models_zoo.llm.forms import FUSED
from models_zoo.llm.linear import Matrix
from models_zoo.llm.quant import Q8Matrix

PARTS = {  # the tensors that a matrix is made of, in the order of its constructor
    "int4": (Int4Matrix, ("nibbles", "affine")),
    "fp8": (EightBitMatrix, ("codes", "unit")),
    "int8": (EightBitMatrix, ("codes", "unit")),
    "bfloat16": (BFloat16Matrix, ("weight",)),
}


def device_uuid(device: torch.device) -> str:
    """Which device it is, whatever number a process gives it."""
    return str(torch.cuda.get_device_properties(device).uuid)


def export(decoder: Decoder) -> dict[str, Any]:
    """The description of a resident base, for `attach`. Export it once: what is described stays described.

    Raises `ModelError` for a base that is in none of our forms, RuntimeError where the driver shares no memory.
    """
    forms = {name: _form(name, matrix) for name, matrix in _matrices(decoder)}
    storages: dict[int, SharedStorage] = {}
    tensors: dict[str, SharedTensor] = {}
    for name, tensor in _tensors(decoder, forms):
        place = tensor.untyped_storage()
        if place.data_ptr() not in storages:
            storages[place.data_ptr()] = _share(place)
        number = list(storages).index(place.data_ptr())
        tensors[name] = SharedTensor(number, int(tensor.storage_offset()), *_header(name, tensor))
    uuid = device_uuid(decoder.device)
    return asdict(SharedBase(uuid, decoder.card.fingerprint, forms, tuple(storages.values()), tensors))


def attach(description: Mapping[str, Any], card: BaseCard, device: torch.device) -> Decoder:
    """The base that another process exported, on the memory where it lies.

    Raises `ModelError`, before any memory is mapped, when the description is not of the base that `card` names, not
    of this device, or a tensor is not as the card's configuration wants it; RuntimeError when it cannot be mapped.
    """
    shared = checked(description, card, device_uuid(device))
    storages = [_map(place, device) for place in shared.storages]
    found = {name: _tensor(storages[entry.storage], entry, device) for name, entry in shared.tensors.items()}

    def matrix(name: str) -> Any:
        kind, parts = PARTS[shared.forms[name]]
        return kind(*(found[f"{name}.{part}"] for part in parts))

    layers = [
        Layer(
            found[f"layers.{index}.attention_norm"],
            mlp_norm=found[f"layers.{index}.mlp_norm"],
            **{name: matrix(f"layers.{index}.{name}") for name in FUSED},
        )
        for index in range(card.config.layers)
    ]
    embedding = Q8Matrix(found["embedding.codes"], found["embedding.scale"])
    decoder = Decoder(card, embedding, layers, found["norm"], matrix("head"), torch.bfloat16)
    decoder.use_cuda()
    return decoder


def _matrices(decoder: Decoder) -> Iterator[tuple[str, Matrix]]:
    yield "head", decoder.head
    for index, layer in enumerate(decoder.layers):
        for name in FUSED:
            yield f"layers.{index}.{name}", getattr(layer, name)


def _tensors(decoder: Decoder, forms: Mapping[str, str]) -> Iterator[tuple[str, Tensor]]:
    yield "embedding.codes", decoder.embedding.codes
    yield "embedding.scale", decoder.embedding.scale
    yield "norm", decoder.norm
    for index, layer in enumerate(decoder.layers):
        for norm in NORMS:
            yield f"layers.{index}.{norm}", getattr(layer, norm)
    for name, matrix in _matrices(decoder):
        for part in PARTS[forms[name]][1]:
            yield f"{name}.{part}", getattr(matrix, part)


def _form(name: str, matrix: Matrix) -> str:
    if isinstance(matrix, Int4Matrix):
        return "int4"
    if isinstance(matrix, EightBitMatrix):
        return "int8" if matrix.codes.dtype == torch.int8 else "fp8"
    if isinstance(matrix, BFloat16Matrix):
        return "bfloat16"
    raise ModelError(f"{name} is a {type(matrix).__name__}, which cannot be shared")


def _header(name: str, tensor: Tensor) -> Header:
    if not tensor.is_contiguous():
        raise ModelError(f"{name} is not contiguous, and cannot be shared")
    return Header(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))


def _share(place: torch.UntypedStorage) -> SharedStorage:
    _, handle, size, offset, counter, counter_offset, event, wait = place._share_cuda_()  # type: ignore[no-untyped-call]
    return SharedStorage(_text(handle), size, offset, _text(counter), counter_offset, _text(event), wait)


def _map(place: SharedStorage, device: torch.device) -> torch.UntypedStorage:
    torch.cuda.init()  # type: ignore[no-untyped-call]
    number = torch.cuda.current_device() if device.index is None else device.index
    return torch.UntypedStorage._new_shared_cuda(
        number,
        b64decode(place.handle),
        place.bytes,
        place.offset,
        b64decode(place.counter),
        place.counter_offset,
        b64decode(place.event),
        place.wait,
    )


def _tensor(place: torch.UntypedStorage, entry: SharedTensor, device: torch.device) -> Tensor:
    empty = torch.empty(0, dtype=dtype_of(entry.dtype), device=device)
    strides = torch.empty(entry.shape, device="meta").stride()
    return empty.set_(place, entry.start, entry.shape, strides)


def _text(data: bytes) -> str:
    return b64encode(data).decode()
