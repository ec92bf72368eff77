"""Convert a GGUF file or a Hugging Face folder into a base folder, once, in the memory of one tensor."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from models_zoo.llm.card import (
    BASE_CARD_FILE,
    BASE_FILE,
    BaseCard,
    BaseConfig,
    ModelError,
    read_card,
    write_card,
)
from models_zoo.llm.format import base_card
from models_zoo.llm.quant import MixedMatrix, Q4Matrix, Q8Matrix, QuantizedMatrix
from models_zoo.llm.quantize import FINE_SHARE, Form, Origin, quantize, quantize_int8
from models_zoo.llm.shapes import EMBEDDINGS
from models_zoo.llm.spool import TensorSpool
from models_zoo.llm.vocabulary import SETTINGS_FILE, TOKENIZER_FILE

# all that a base folder holds: what a conversion writes, and the cache of packed weights
OWN_FILES = {BASE_CARD_FILE, BASE_FILE, SETTINGS_FILE, TOKENIZER_FILE, "packed"}
Origins = Callable[[str], Origin | None]


class Source(Protocol):
    """A model to convert: checked when it was opened, read one tensor at a time."""

    path: Path
    config: BaseConfig
    licence: str

    def digest(self) -> str:
        """SHA-256 (hex) that names the exact source."""
        ...

    def tensors(self) -> Iterator[tuple[str, Tensor | QuantizedMatrix]]:
        """Every tensor by our name: norms and matrices as float32, or matrices already quantized."""
        ...

    def write_tokenizer(self, folder: Path) -> tuple[int, int, int]:
        """Write the tokenizer's files; the ids of the begin, end and padding tokens."""
        ...


def open_source(path: Path) -> Source:
    """The GGUF file or Hugging Face folder at `path`. Raises `ModelError` when it cannot be served."""
    if path.is_dir():
        from models_zoo.llm.hf_folder import HfFolder

        return HfFolder(path)
    if not path.is_file():
        raise ModelError(f"{path}: file is missing")
    from models_zoo.llm.gguf_file import LlamaFile

    return LlamaFile(path)


def convert(
    source: Path,
    target: Path,
    form: Form | None = None,
    fine_share: float = FINE_SHARE,
    *,
    force: bool = False,
    origins: Origins | None = None,
) -> BaseCard:
    """Convert the GGUF file or Hugging Face folder `source` into the base folder `target`.

    With `form` every linear gets that form; without, quantized ones stay as they are and floats become int4.
    Embedding and head are 8-bit always. The folder appears whole or not at all; when it already holds this
    conversion of this very source, nothing is done, and another base in it is replaced only with `force`. A
    folder with anything else in it is never touched. origins: of matrices that were dequantized and trained, by
    name, what they were. Raises `ModelError` naming what cannot be converted, or
    what is in the way.
    """
    if not 0 <= fine_share <= 1:
        raise ModelError(f"fine_share is {fine_share}, expected 0 to 1")
    opened = open_source(source)
    digest, quantization = opened.digest(), _in_words(form, fine_share)
    done = _converted(target, digest, quantization)
    if done is not None:
        return done
    _check_target(target, digest, quantization, force)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.partial")
    partial.mkdir(parents=True)
    try:
        write_tensors(opened, partial / BASE_FILE, form, fine_share, origins)
        tokens = opened.write_tokenizer(partial)
        card = base_card(
            partial,
            name=target.name,
            config=opened.config,
            tokens=tokens,
            source=source.name,
            source_sha256=digest,
            licence=opened.licence,
            quantization=quantization,
        )
        write_card(card, partial / BASE_CARD_FILE)
        if _converted(target, digest, quantization) is None:  # another process may have been faster
            _check_target(target, digest, quantization, force)
            _put_in_place(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return read_card(target)


def write_tensors(
    source: Source,
    path: Path,
    form: Form | None,
    fine_share: float = FINE_SHARE,
    origins: Origins | None = None,
) -> None:
    """Quantize and write every tensor of `source`. Raises `ModelError` naming one with values not to be kept."""
    with TensorSpool(path) as spool:
        for name, value in source.tensors():
            try:
                parts = _parts(name, value, form, fine_share, origins)
            except ModelError as error:
                raise ModelError(f"{source.path}: tensor {name}: {error}") from error
            for part, tensor in parts.items():
                spool.add(f"{name}.{part}", tensor)
        spool.finish()


def in_form(
    name: str,
    value: Tensor | QuantizedMatrix,
    form: Form | None,
    fine_share: float = FINE_SHARE,
    origins: Origins | None = None,
) -> QuantizedMatrix:
    """The matrix `name` as `convert` stores it. One that has the form already is left alone."""
    if name in EMBEDDINGS:
        return value if isinstance(value, Q8Matrix) else quantize_int8(_checked(_dense(value)))
    kept = {None: Q4Matrix | Q8Matrix | MixedMatrix, "int4": Q4Matrix, "int8": Q8Matrix, "mixed": MixedMatrix}
    if isinstance(value, kept[form]):
        return value
    origin = origins(name) if origins else None
    return quantize(_checked(_dense(value)), form or "int4", fine_share, origin)


def _parts(
    name: str,
    value: Tensor | QuantizedMatrix,
    form: Form | None,
    fine_share: float,
    origins: Origins | None,
) -> dict[str, Tensor]:
    if isinstance(value, Tensor) and value.ndim == 1:
        return {"weight": _checked(value)}
    parts = in_form(name, value, form, fine_share, origins).tensors()
    for part, tensor in parts.items():
        if tensor.dtype == torch.float16 and not bool(tensor.isfinite().all()):
            raise ModelError(f"{part} is not finite")
    return parts


def _dense(value: Tensor | QuantizedMatrix) -> Tensor:
    return value if isinstance(value, Tensor) else value.dequantize()


def _checked(value: Tensor) -> Tensor:
    low, high = torch.aminmax(value)
    if not bool((high - low).isfinite()) or max(-float(low), float(high)) > torch.finfo(torch.float16).max:
        raise ModelError("values are not finite, or beyond float16's range")
    return value


def _in_words(form: Form | None, fine_share: float) -> str:
    if form is None:
        return "as in the source"
    return f"mixed {fine_share:g}" if form == "mixed" else form


def _converted(target: Path, digest: str, quantization: str) -> BaseCard | None:
    """The card of the whole base in `target` when this conversion made it."""
    card = _card(target)
    if card is None or not _is_made_by(card, digest, quantization):
        return None
    whole = (target / BASE_FILE).is_file() and (target / BASE_FILE).stat().st_size == card.bytes
    return card if whole else None


def _card(target: Path) -> BaseCard | None:
    try:
        return read_card(target)
    except ModelError:
        return None


def _is_made_by(card: BaseCard, digest: str, quantization: str) -> bool:
    return card.source_sha256 == digest and card.quantization == quantization


def _check_target(target: Path, digest: str, quantization: str, force: bool) -> None:
    """Refuse to lose what is in `target`: anything that is no base, and without `force` another base."""
    if not target.exists():
        return
    if not target.is_dir():
        raise ModelError(f"target {target}: is a file, expected a new or empty folder")
    names = {path.name for path in target.iterdir()}
    foreign = sorted(names - OWN_FILES)
    if foreign:
        raise ModelError(f"target {target}: holds {foreign[0]}, expected a new or empty folder")
    card = _card(target)
    if not names or force or (card is not None and _is_made_by(card, digest, quantization)):
        return
    found = "a base that cannot be read" if card is None else f"{card.source}, {card.quantization}"
    raise ModelError(f"target {target}: holds {found}; name another folder, or replace it with --force")


def _put_in_place(partial: Path, target: Path) -> None:
    """Rename into place; what is there goes."""
    if target.exists():
        old = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.old")
        target.rename(old)
        shutil.rmtree(old, ignore_errors=True)
    partial.rename(target)
