"""What is decided before anything runs on the device, in plain Python: resident form, buckets, ways to multiply."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from models_zoo.llm.card import ModelError

CudaForm = Literal["int4", "fp8", "bfloat16"]
PoolForm = Literal["int8", "bfloat16"]

FP8_CAPABILITY = (8, 9)
KERNEL_CAPABILITY = (8, 0)  # bfloat16 products
FP8_FROM_SEQUENCES = 32  # decoded at once: below, int4's fewer bytes win; above, fp8's products
RESERVE = 1.15  # of the weights' bytes, for what a step needs besides

DECODE_ROWS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512)
TILE_ROWS, WIDE_TILE_ROWS = 16, 64  # rows of a LoRA tile
WIDE_FROM_ROWS = 513
EIGHT_BITS_FROM_SLOTS = 32
QUANTIZES_FIRST_ABOVE_ROWS = 64
SINGLE_UP_TO_ROWS = 16  # up to here every row is a LoRA tile of its own
SHARED, SHARED_OF_PIECES = 2, 4  # rows of an adapter that read it each for itself: from the cache
PROGRAMS = 132  # that fill the device once, one a multiprocessor


@dataclass(slots=True, frozen=True)
class Card:
    """What is known of a device: (major, minor) compute capability and free bytes."""

    capability: tuple[int, int]
    free: int


def choose_form(
    asked: CudaForm | None, device: Card, weights: Mapping[CudaForm, int], sequences: int
) -> CudaForm:
    """The form in which the linears are held on a device.

    weights: the bytes of each form that the base can take. Without a wish: fp8 when many `sequences` are decoded
    at once and the device computes in it, else int4; what does not fit is passed over. Raises `ModelError` naming
    what is missing when the wish, or every form, cannot be had.
    """
    if device.capability < KERNEL_CAPABILITY:
        raise ModelError(f"the CUDA device has capability {_words(device.capability)}, expected 8.0 or more")
    if asked is not None:
        return _granted(asked, device, weights)
    many = sequences >= FP8_FROM_SEQUENCES and device.capability >= FP8_CAPABILITY
    order: tuple[CudaForm, ...] = ("fp8", "int4", "bfloat16") if many else ("int4", "bfloat16", "fp8")
    for form in order:
        if form in weights and not _refusal(form, device, weights[form]):
            return form
    least = min(weights.values())
    raise ModelError(f"the CUDA device has {device.free} bytes free, the base needs {int(least * RESERVE)}")


def _granted(form: CudaForm, device: Card, weights: Mapping[CudaForm, int]) -> CudaForm:
    if form not in weights:
        raise ModelError(f"form is {form!r}, expected one of {', '.join(weights)} for this base")
    refusal = _refusal(form, device, weights[form])
    if refusal:
        raise ModelError(f"form is {form!r}: {refusal}")
    return form


def _refusal(form: CudaForm, device: Card, weights: int) -> str | None:
    if form == "fp8" and device.capability < FP8_CAPABILITY:
        return f"needs capability 8.9 or more, the CUDA device has {_words(device.capability)}"
    if weights * RESERVE > device.free:
        return f"needs {int(weights * RESERVE)} bytes, the CUDA device has {device.free} free"
    return None


def _words(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))


def decode_bucket(rows: int) -> int | None:
    """The graph that runs so many rows; None when there are too many for one."""
    index = bisect_left(DECODE_ROWS, rows)
    return DECODE_ROWS[index] if index < len(DECODE_ROWS) else None


def tile_bucket(tiles: int) -> int:
    """LoRA tiles of the graph that runs so many: the next power of two."""
    return 1 << max(0, tiles - 1).bit_length()


def tile_rows(rows: int) -> int:
    """Rows of a LoRA tile: few tokens of many adapters in a decode step, long runs of one in a prompt."""
    return WIDE_TILE_ROWS if rows >= WIDE_FROM_ROWS else TILE_ROWS


def attention_splits(rows: int, key_heads: int) -> int:
    """Pieces in which a decode step reads the keys of a sequence, so that few sequences fill the device too."""
    splits = 1
    while splits < 16 and rows * key_heads * splits * 2 <= 512:
        splits *= 2
    return splits


def lora_tile(rows: int, tiles: int, decode: bool, pieces: bool) -> int:
    """Rows of a LoRA tile, when `tile_rows` would give so many tiles: one, where they would be nearly empty.

    pieces: the base's wide products come in several, which makes an empty row dearer.
    """
    shared = SHARED_OF_PIECES if pieces else SHARED
    single = rows <= SINGLE_UP_TO_ROWS or rows <= shared * tiles
    return 1 if decode and single else tile_rows(rows)


def shrink_splits(columns: int, tiles: int, parts: int, tile: int) -> int:
    """Pieces of the inner dimension of a shrink, each at least 256 columns: enough blocks for the device, yet whoever
    expands reads them all."""
    most = 4 if tile > TILE_ROWS else 16 if tiles <= 4 else 8
    while most > 1 and (tiles * parts * most > 4 * PROGRAMS or columns // most < 256):
        most //= 2
    return most


def pool_form(form: CudaForm, slots: int) -> PoolForm:
    """How adapters are held on the device beside linears in `form`: in 8 bits where its own error is larger
    (docs/benchmarks.md) and it pays: always with int4, which leaves the device little besides its own arithmetic; with
    fp8 when a step may read many."""
    return "int8" if form == "int4" or (form == "fp8" and slots >= EIGHT_BITS_FROM_SLOTS) else "bfloat16"


def quantizes_first(rows: int) -> bool:
    """Whether rows are brought to 8 bits before a shrink of the same rows may start, or beside it."""
    return rows > QUANTIZES_FIRST_ABOVE_ROWS
