"""Headers of safetensors files that somebody made by hand."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from safetensors.torch import save, save_file

from models_zoo.llm.card import AdapterError
from models_zoo.llm.tensor_header import MAX_HEADER, MAX_TENSORS, read_header


def written(path: Path, header: bytes | dict[str, Any], data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def tensor(start: int, stop: int, **changed: Any) -> dict[str, Any]:
    return {"dtype": "U8", "shape": [stop - start], "data_offsets": [start, stop]} | changed


def test_it_works(tmp_path: Path) -> None:
    save_file(
        {"a": torch.zeros(2, 3), "b": torch.ones(5, dtype=torch.bfloat16)}, tmp_path / "x", {"made": "here"}
    )
    header = read_header(tmp_path / "x")
    assert {name: (one.dtype, one.shape) for name, one in header.items()} == {
        "a": ("F32", (2, 3)),
        "b": ("BF16", (5,)),
    }


@pytest.mark.parametrize(
    ("header", "data", "reason"),
    [
        (b"{", b"", "not valid JSON"),
        (b"[]", b"", "begins with b'\\['"),
        (b" {}", b"", "begins with b' '"),
        (b'{"a": 1, "a": 2}', b"", "'a' is named twice"),
        (b'{"a":' + b"[" * 100_000, b"", "not valid JSON"),
        ({"a": 1}, b"", "'a': expected dtype, shape and data_offsets"),
        ({"a": tensor(0, 2, dtype="F8")}, b"12", "dtype is 'F8'"),
        ({"a": tensor(0, 2, shape=[-2])}, b"12", "shape is"),
        ({"a": tensor(0, 2, shape=[1 << 40])}, b"12", "shape is"),
        ({"a": tensor(0, 2, shape=[2, 1, 1, 1, 1])}, b"12", "shape is"),
        ({"a": tensor(0, 2, shape=[True, 2])}, b"12", "shape is"),
        ({"a": tensor(0, 2, data_offsets=[2])}, b"12", "data_offsets is"),
        ({"a": tensor(0, 3, shape=[2])}, b"123", "3 bytes, expected 2"),
        ({"a": tensor(0, 2), "b": tensor(1, 3)}, b"123", "'b' overlaps the one before it"),
        ({"a": tensor(0, 1), "b": tensor(2, 3)}, b"123", "'b' leaves a gap"),
        ({"a": tensor(0, 2)}, b"1", "cut short"),
        ({"a": tensor(0, 2)}, b"123", "longer than its tensors"),
        ({str(n): tensor(0, 0) for n in range(MAX_TENSORS + 1)}, b"", f"at most {MAX_TENSORS}"),
    ],
)
def test_what_is_not_right_is_named(tmp_path: Path, header: Any, data: bytes, reason: str) -> None:
    with pytest.raises(AdapterError, match=reason) as caught:
        read_header(written(tmp_path / "x", header, data))
    assert len(str(caught.value)) < 500


def test_a_long_header_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 100_000_000))
        file.truncate(100_000_008)
    with pytest.raises(AdapterError, match=f"at most {MAX_HEADER}"):
        read_header(path)


@pytest.mark.parametrize("content", [b"", b"1234567", struct.pack("<Q", 9) + b"{}", b"\x80\x04\x95pickled"])
def test_other_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(AdapterError):
        read_header(path)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_passes_is_what_the_library_reads_or_refuses(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed"
    good = bytearray(save({"a": torch.zeros(3), "b": torch.ones(2, 2, dtype=torch.float16)}))
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(good[: data.draw(st.integers(0, len(good)))] if data.draw(st.booleans()) else good)
    try:
        header = read_header(path)
    except AdapterError:
        return
    with suppress(SafetensorError), safe_open(path, framework="pt") as file:
        assert set(file.keys()) == set(header)
