"""GGUF files in, written by ggml's own writer; and files that are damaged, hostile or mean something else."""

import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf.quants import dequantize, quantize
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models_zoo.llm.card import ModelError, read_card
from models_zoo.llm.convert import convert
from models_zoo.llm.format import BaseFile, demo_gguf
from models_zoo.llm.gguf_file import LlamaFile
from models_zoo.llm.gguf_header import GgufHeader
from models_zoo.llm.quant import MixedMatrix, Q4Matrix, Q8Matrix
from models_zoo.llm.tokenizer import ChatTokenizer
from tests.models_zoo.llm.sources import Kind, gguf_file, llama
from tests.models_zoo.llm.tiny import TinyBase, in_transformers

IDS = torch.randint(3, 320, (2, 24), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def model() -> Any:
    return llama()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, model: Any) -> Path:
    return gguf_file(tmp_path_factory.mktemp("gguf") / "tiny.gguf", model)


def error(base: Path, model: Any) -> float:
    ours = in_transformers(TinyBase(base, read_card(base)))(IDS).logits
    expected = model(IDS).logits
    return float((ours - expected).norm() / expected.norm())


def test_it_works(source: Path, model: Any, tmp_path: Path) -> None:
    card = convert(source, tmp_path / "base")
    assert error(tmp_path / "base", model) < 0.03
    assert card.quantization == "as in the source"
    assert ChatTokenizer(tmp_path / "base").decode(ChatTokenizer(tmp_path / "base").encode("a b")) == "a b"


@pytest.mark.parametrize("kind", [Kind.Q4_0, Kind.Q4_1, Kind.Q8_0])
def test_quantized_blocks_are_taken_as_they_are(tmp_path: Path, model: Any, kind: Kind) -> None:
    card = convert(gguf_file(tmp_path / "in.gguf", model, (kind,)), tmp_path / "base")
    ours = BaseFile(tmp_path / "base", card).matrix("layers.1.mlp.down_proj")
    weight = model.model.layers[1].mlp.down_proj.weight.numpy()
    assert torch.allclose(
        ours.dequantize(), torch.from_numpy(dequantize(quantize(weight, kind), kind)), atol=1e-6
    )
    assert isinstance(ours, Q8Matrix if kind == Kind.Q8_0 else Q4Matrix)


@pytest.mark.parametrize("embedding", [Kind.Q8_0, Kind.Q4_0, Kind.Q4_1, Kind.F16, Kind.BF16, Kind.F32])
def test_any_mixture_and_any_embedding(tmp_path: Path, model: Any, embedding: Kind) -> None:
    linears = (Kind.Q8_0, Kind.Q4_1, Kind.F16, Kind.Q8_0, Kind.Q4_0)
    card = convert(gguf_file(tmp_path / "in.gguf", model, linears, embedding), tmp_path / "base")
    assert error(tmp_path / "base", model) < 0.3
    assert isinstance(BaseFile(tmp_path / "base", card).matrix("embed_tokens"), Q8Matrix)


def test_a_form_asked_for_is_given_to_all(tmp_path: Path, model: Any) -> None:
    source = gguf_file(tmp_path / "in.gguf", model, (Kind.Q8_0, Kind.Q4_1))
    card = convert(source, tmp_path / "base", "mixed", 0.25)
    file = BaseFile(tmp_path / "base", card)
    names = [
        name for name, value in LlamaFile(source).tensors() if name.startswith("layers") and "proj" in name
    ]
    assert all(isinstance(file.matrix(name), MixedMatrix) for name in names)


def test_the_demo_base_keeps_its_fingerprint(tmp_path: Path, demo_base: Path) -> None:
    """The shipped adapters name it."""
    from models_zoo.llm.card import read_adapter_card
    from models_zoo.zoo.tasks import task_of

    card = convert(demo_gguf(), tmp_path / "demo")
    assert (
        card.fingerprint
        == read_adapter_card(task_of("support-emotion").adapter).base_fingerprint
        == read_card(demo_base).fingerprint
    )


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"llama.rope.scaling.type": "linear"}, r"llama\.rope\.scaling\.type is 'linear'"),
        ({"llama.rope.scaling.factor": 2}, r"llama\.rope\.scaling\.factor is 2"),
        ({"llama.expert_count": 8}, r"llama\.expert_count is 8"),
        ({"llama.attention.sliding_window": 64}, "sliding_window is 64"),
        ({"llama.rope.dimension_count": 8}, "dimension_count is 8, expected the head size 16"),
        ({"llama.surprise": 1}, r"llama\.surprise is 1"),
        ({"llama.attention.key_length": "x"}, "key_length is 'x', expected an integer"),
        ({"general.alignment": 0}, "general.alignment is 0"),
    ],
)
def test_keys_that_change_the_meaning_are_refused(
    tmp_path: Path, model: Any, values: dict[str, Any], reason: str
) -> None:
    source = gguf_file(tmp_path / "in.gguf", model, values=values)
    with pytest.raises(ModelError, match=reason):
        convert(source, tmp_path / "base")


def test_keys_without_effect_are_not(tmp_path: Path, model: Any) -> None:
    values = {"llama.rope.scaling.type": "none", "llama.vocab_size": 320, "general.name": "tiny"}
    convert(gguf_file(tmp_path / "in.gguf", model, values=values), tmp_path / "base")


def changed(source: Path, target: Path, old: bytes, new: bytes) -> Path:
    """A copy with one stretch of bytes replaced by another of the same length."""
    content = source.read_bytes()
    assert old in content
    assert len(old) == len(new)
    target.write_bytes(content.replace(old, new, 1))
    return target


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"llama", b"mamba", "architecture is 'mamba'"),
        (b"gpt2", b"bert", r"tokenizer\.ggml\.model is 'bert'"),
        (b"smollm", b"surely", r"tokenizer\.ggml\.pre is 'surely'"),
        (b"blk.1.attn_q.weight", b"blk.1.attn_q.scales", r"blk\.1\.attn_q\.\S+ (is missing|has no place)"),
        (b"llama.block_count", b"llama.block_kount", r"llama\.block_kount is 2, which is not supported"),
        (b"tokenizer.ggml.tokens", b"tokenizer.ggml.tokenz", r"tokenizer\.ggml\.tokens is missing"),
        (b"tokenizer.ggml.token_type", b"tokenizer.ggml.merges\0\0\0\0", "token_type is missing|twice"),
        (b"GGUF\x03\0\0\0", b"GGUF\0\0\0\x03", "version is 50331648, expected 2 or 3"),
    ],
)
def test_other_files_are_named(source: Path, tmp_path: Path, old: bytes, new: bytes, reason: str) -> None:
    wrong = changed(source, tmp_path / "in.gguf", old, new)
    with pytest.raises(ModelError, match=reason):
        convert(wrong, tmp_path / "base")
    assert not (tmp_path / "base").exists()


def test_k_quants_are_named(source: Path, tmp_path: Path) -> None:
    name = b"blk.0.ffn_up.weight"
    start = source.read_bytes().index(name)
    record = source.read_bytes()[start : start + len(name) + 4 + 16 + 4]
    wrong = changed(source, tmp_path / "in.gguf", record, record[:-4] + struct.pack("<I", 12))
    with pytest.raises(ModelError, match=r"blk\.0\.ffn_up\.weight is Q4_K, expected F32, F16"):
        convert(wrong, tmp_path / "base")


def test_absurd_shapes_are_refused(source: Path, tmp_path: Path) -> None:
    name = b"blk.0.ffn_up.weight"
    start = source.read_bytes().index(name)
    record = source.read_bytes()[start : start + len(name) + 4 + 16]
    huge = record[:-16] + struct.pack("<QQ", 1 << 40, 1 << 40)
    with pytest.raises(ModelError, match=r"ffn_up\.weight is \[1099511627776, 1099511627776\], expected"):
        convert(changed(source, tmp_path / "in.gguf", record, huge), tmp_path / "base")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_cut_file_is_refused(source: Path, tmp_path: Path, share: float) -> None:
    content = source.read_bytes()
    (tmp_path / "cut.gguf").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match=r"cut\.gguf"):
        convert(tmp_path / "cut.gguf", tmp_path / "base")


def header(tensors: int, keys: int, rest: bytes) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + rest


KEY = struct.pack("<Q", 1) + b"k"
BIG = 1 << 60


@pytest.mark.parametrize(
    "content",
    [
        header(BIG, 0, b""),
        header(0, BIG, b""),
        header(0, 1, struct.pack("<Q", BIG)),
        header(0, 1, KEY + struct.pack("<IQ", 8, BIG)),
        header(0, 1, KEY + struct.pack("<IIQ", 9, 0, BIG)),
        header(0, 1, KEY + struct.pack("<IIQ", 9, 8, 1 << 20)),
        header(0, 1, KEY + struct.pack("<IIQ", 9, 9, 1)),
        header(0, 1, KEY + struct.pack("<I", 99)),
        header(1, 0, KEY + struct.pack("<I", 1 << 30)),
    ],
    ids=["tensors", "keys", "name", "text", "list", "texts", "nested", "type", "dimensions"],
)
def test_absurd_counts_reserve_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"hostile\.gguf: not a readable GGUF file"):
        GgufHeader(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 12_000), value=st.binary(min_size=1, max_size=8))
def test_any_damage_is_a_clear_error_or_none(source: Path, tmp_path: Path, at: int, value: bytes) -> None:
    content = bytearray(source.read_bytes())
    content[at : at + len(value)] = value
    path = tmp_path / "damaged.gguf"
    path.write_bytes(content)
    with suppress(ModelError):  # anything else fails the test
        file = LlamaFile(path)
        for _ in file.tensors():
            pass
        file.write_tokenizer(tmp_path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 3), st.integers(0, 3), st.binary(max_size=200))
def test_any_bytes_after_a_header_are_survived(tmp_path: Path, tensors: int, keys: int, rest: bytes) -> None:
    path = tmp_path / "any.gguf"
    path.write_bytes(header(tensors, keys, rest))
    with suppress(ModelError):  # anything else fails the test
        GgufHeader(path)
