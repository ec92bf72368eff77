"""What is decided without a device: forms, buckets, ways to cut a product."""

import pytest

from models_zoo.llm.card import ModelError
from models_zoo.llm.cuda.policy import (
    DECODE_ROWS,
    Card,
    attention_splits,
    choose_form,
    decode_bucket,
    lora_tile,
    pool_form,
    quantizes_first,
    shrink_splits,
    tile_bucket,
)
from models_zoo.llm.cuda.tuning import narrow_tile, tile

GB = 10**9
SIZES = {"int4": 5 * GB, "fp8": 8 * GB, "bfloat16": 16 * GB}
H200 = Card((9, 0), 140 * GB)


def test_it_works() -> None:
    assert choose_form(None, H200, SIZES, sequences=1) == "int4"
    assert choose_form(None, H200, SIZES, sequences=64) == "fp8"
    assert choose_form("bfloat16", H200, SIZES, sequences=64) == "bfloat16"


def test_what_does_not_fit_is_passed_over() -> None:
    assert choose_form(None, Card((9, 0), 7 * GB), SIZES, sequences=64) == "int4"
    eight = {form: size for form, size in SIZES.items() if form != "int4"}
    assert choose_form(None, H200, eight, sequences=1) == "bfloat16"
    assert choose_form(None, Card((9, 0), 10 * GB), eight, sequences=1) == "fp8"


def test_a_device_without_fp8_computes_in_int4() -> None:
    assert choose_form(None, Card((8, 0), 80 * GB), SIZES, sequences=64) == "int4"


@pytest.mark.parametrize(
    ("form", "device", "message"),
    [
        (
            "fp8",
            Card((8, 6), 80 * GB),
            "form is 'fp8': needs capability 8.9 or more, the CUDA device has 8.6",
        ),
        ("bfloat16", Card((9, 0), 12 * GB), "form is 'bfloat16': needs 18400000000 bytes"),
        (None, Card((9, 0), 4 * GB), "4000000000 bytes free, the base needs 5750000000"),
        (None, Card((7, 5), 80 * GB), "capability 7.5, expected 8.0"),
        ("int3", H200, "form is 'int3', expected one of int4, fp8, bfloat16"),
    ],
)
def test_what_cannot_be_had_is_named(form: str | None, device: Card, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        choose_form(form, device, SIZES, sequences=8)  # type: ignore[arg-type]


def test_every_step_has_the_smallest_graph_that_holds_it() -> None:
    assert [decode_bucket(rows) for rows in (1, 3, 16, 17, 65, 512)] == [1, 4, 16, 24, 96, 512]
    assert decode_bucket(DECODE_ROWS[-1] + 1) is None
    assert [tile_bucket(tiles) for tiles in (1, 2, 3, 16, 17)] == [1, 2, 4, 16, 32]


def test_few_sequences_read_their_keys_in_pieces() -> None:
    assert attention_splits(1, 8) == 16
    assert attention_splits(16, 8) == 4
    assert attention_splits(64, 8) == 1
    assert shrink_splits(4096, 1, 3, 1) > shrink_splits(4096, 64, 3, 1) > shrink_splits(4096, 512, 3, 16) == 1
    assert shrink_splits(576, 1, 3, 1) == 2
    assert shrink_splits(4096, 9, 3, 64) == 4


def test_adapters_are_in_eight_bits_beside_a_quantized_base() -> None:
    assert [pool_form("fp8", slots) for slots in (16, 31, 32, 64)] == ["bfloat16"] * 2 + ["int8"] * 2
    assert pool_form("int4", 1) == "int8"
    assert pool_form("bfloat16", 64) == "bfloat16"
    assert not quantizes_first(64)
    assert quantizes_first(96)


def test_few_rows_of_many_adapters_are_tiles_of_their_own() -> None:
    assert lora_tile(64, 32, decode=True, pieces=False) == 1
    assert lora_tile(64, 16, decode=True, pieces=False) == lora_tile(256, 64, decode=True, pieces=False) == 16
    assert lora_tile(64, 16, decode=True, pieces=True) == lora_tile(16, 1, decode=True, pieces=False) == 1
    assert lora_tile(64, 64, decode=False, pieces=False) == 16
    assert lora_tile(600, 600, decode=False, pieces=False) == 64


@pytest.mark.parametrize("kind", ["int4", "eight"])
@pytest.mark.parametrize(
    "shape", [(6144, 4096), (4096, 14336), (128256, 4096), (960, 576), (576, 1536), (64, 32)]
)
def test_tiles_divide_what_they_cut(kind: str, shape: tuple[int, int]) -> None:
    for rows in (1, 5, 16, 33, 200):
        cut = tile(kind, rows, *shape)  # type: ignore[arg-type]
        assert shape[1] % cut.inner == 0
        assert cut.rows >= 16
        assert 1 <= cut.splits <= shape[1] // cut.inner
        narrow = narrow_tile(rows, *shape)
        assert (narrow is None) == (rows == 200 and shape != (4096, 14336))
        assert narrow is None or shape[1] % narrow.inner == 0
