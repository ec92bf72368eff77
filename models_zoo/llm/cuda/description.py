"""How a base that lies on a CUDA device is described to other processes, and what of a description is believed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from models_zoo.llm.card import BaseCard, ModelError, record_from
from models_zoo.llm.forms import FUSED
from models_zoo.llm.quant import GROUP
from models_zoo.llm.shapes import expected_shapes

FORMAT = "rootstock-shared-base/1"
WHERE = "shared base"
NORMS = ("attention_norm", "mlp_norm")
FORMS = ("int4", "fp8", "int8", "bfloat16")


class Header(NamedTuple):
    """What a tensor is."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(slots=True, frozen=True)
class SharedStorage:
    """Memory of the process that shares, as `torch.UntypedStorage._share_cuda_` describes it; bytes in base64."""

    handle: str
    bytes: int
    offset: int
    counter: str
    counter_offset: int
    event: str
    wait: bool


@dataclass(slots=True, frozen=True)
class SharedTensor:
    """A contiguous tensor in `storages[storage]`, `start` elements from its beginning."""

    storage: int
    start: int
    dtype: str
    shape: tuple[int, ...]


@dataclass(slots=True, frozen=True)
class SharedBase:
    """A whole base. device: the UUID; forms: of each linear and the head, one of `FORMS`."""

    device: str
    fingerprint: str
    forms: dict[str, str]
    storages: tuple[SharedStorage, ...]
    tensors: dict[str, SharedTensor]
    format: str = FORMAT

    @property
    def words(self) -> str:
        """Its forms, for a reader."""
        return "/".join(sorted({form for name, form in self.forms.items() if name != "head"}))


def checked(description: Mapping[str, Any], card: BaseCard, uuid: str) -> SharedBase:
    """The description, once it is known to fit the card. Raises `ModelError` naming what does not."""
    shared = record_from(SharedBase, description, WHERE)
    for name, found, wanted in (
        ("format", shared.format, FORMAT),
        ("fingerprint", shared.fingerprint, card.fingerprint),
        ("device", shared.device, uuid),
    ):
        if found != wanted:
            raise ModelError(f"{WHERE}: {name} is {found!r}, expected {wanted!r}")
    expected = dict(_expected(card, shared.forms))
    if odd := sorted(expected.keys() ^ shared.tensors.keys()):
        raise ModelError(f"{WHERE}: tensors are not those of the base, first {odd[0]}")
    for name, entry in shared.tensors.items():
        if Header(entry.dtype, entry.shape) != expected[name]:
            raise ModelError(
                f"{WHERE}: {name} is {entry.dtype} {list(entry.shape)}, the card says {expected[name]}"
            )
        _check_extent(name, entry, shared.storages)
    return shared


def _check_extent(name: str, entry: SharedTensor, storages: tuple[SharedStorage, ...]) -> None:
    size = torch.Size(entry.shape).numel() * dtype_of(entry.dtype).itemsize
    end = entry.start * dtype_of(entry.dtype).itemsize + size
    if not 0 <= entry.storage < len(storages) or entry.start < 0 or end > storages[entry.storage].bytes:
        raise ModelError(f"{WHERE}: {name} lies outside the memory that is shared")


def _expected(card: BaseCard, forms: Mapping[str, str]) -> Iterator[tuple[str, Header]]:
    """Every tensor of the base, its linears in `forms`."""
    c, shapes = card.config, expected_shapes(card.config, own_head=False)
    yield "embedding.codes", Header("int8", (c.vocabulary, c.hidden_size))
    yield "embedding.scale", Header("float16", (c.vocabulary, c.hidden_size // GROUP))
    yield "norm", Header("float32", (c.hidden_size,))
    yield from _parts("head", forms, c.vocabulary, c.hidden_size)
    for index in range(c.layers):
        for norm in NORMS:
            yield f"layers.{index}.{norm}", Header("float32", (c.hidden_size,))
        for name, parts in FUSED.items():
            found = [shapes[f"layers.{index}.{part}"] for part in parts]
            yield from _parts(f"layers.{index}.{name}", forms, sum(rows for rows, _ in found), found[0][1])


def _parts(name: str, forms: Mapping[str, str], rows: int, columns: int) -> Iterator[tuple[str, Header]]:
    form = forms.get(name)
    if form == "int4":
        yield f"{name}.nibbles", Header("uint8", (rows, columns // 2))
        yield f"{name}.affine", Header("int32", (rows, columns // GROUP))
    elif form in ("fp8", "int8"):
        yield f"{name}.codes", Header("float8_e4m3fn" if form == "fp8" else "int8", (rows, columns))
        yield f"{name}.unit", Header("float32", (rows,))
    elif form == "bfloat16":
        yield f"{name}.weight", Header("bfloat16", (rows, columns))
    else:
        raise ModelError(f"{WHERE}: forms.{name} is {form!r}, expected one of {', '.join(FORMS)}")


def dtype_of(name: str) -> torch.dtype:
    """Of a tensor that was checked."""
    found: torch.dtype = getattr(torch, name)  # one of those that `_parts` names
    return found
