"""The packed weights on disk: made once, mapped by all, and made again when a byte is wrong."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from models_zoo.llm.batch import Segment
from models_zoo.llm.cache_folder import used
from models_zoo.llm.decoder import load_decoder
from models_zoo.llm.format import BaseFile
from models_zoo.llm.forms import FUSED, fused
from tests.models_zoo.llm.tiny import TinyBase, make_base


@pytest.fixture
def fresh(tmp_path: Path) -> TinyBase:
    return make_base(tmp_path / "tiny")


@torch.inference_mode()
def hidden(base: TinyBase, native: bool = True) -> torch.Tensor:
    decoder = load_decoder(base.folder, native=native)
    return decoder.forward([Segment(list(range(5, 25)))], None, None)


def packed_file(base: TinyBase) -> Path:
    (path,) = (base.folder / "packed").glob("*.safetensors")
    return path


@pytest.mark.parametrize("native", [True, False])
def test_it_works(fresh: TinyBase, native: bool) -> None:
    first = hidden(fresh, native)
    made = packed_file(fresh).stat()
    assert torch.equal(hidden(fresh, native), first)
    assert packed_file(fresh).stat().st_mtime_ns == made.st_mtime_ns


def test_packed_weights_are_the_base_and_each_is_there_once(fresh: TinyBase) -> None:
    decoder, file = load_decoder(fresh.folder), BaseFile(fresh.folder, fresh.card)
    for index, layer in enumerate(decoder.layers):
        for name in FUSED:
            assert torch.equal(getattr(layer, name).dense(), fused(file, index, name).dequantize())
    assert torch.equal(decoder.head.dense(), file.q8("lm_head").dequantize())
    if decoder.native is not None:
        assert packed_file(fresh).stat().st_size < 1.05 * fresh.card.bytes


@pytest.mark.parametrize("native", [True, False])
def test_a_damaged_file_is_made_again(fresh: TinyBase, native: bool) -> None:
    expected = hidden(fresh, native)
    path = packed_file(fresh)
    whole = path.read_bytes()
    for damaged in (whole[:-100], whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:], b"", whole[:20]):
        path.write_bytes(damaged)
        assert torch.equal(hidden(fresh, native), expected)
        assert path.read_bytes()[-500:] == whole[-500:]
        assert path.stat().st_size == len(whole)


def test_several_may_pack_at_once(fresh: TinyBase) -> None:
    with ThreadPoolExecutor(4) as executor:
        results = list(executor.map(hidden, [fresh] * 4))
    assert all(torch.equal(result, results[0]) for result in results)
    assert not list((fresh.folder / "packed").glob("*.partial"))


def test_what_cannot_be_written_beside_the_base_is_packed_once_for_this_user(
    fresh: TinyBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (fresh.folder / "packed").write_text("in the way")
    first = hidden(fresh)
    (made,) = tmp_path.glob("rootstock-*/*.safetensors")
    assert made.parent.stat().st_mode & 0o777 == 0o700
    written = made.stat().st_mtime_ns
    assert torch.equal(hidden(fresh), first)
    assert made.stat().st_mtime_ns == written, "it was mapped, not packed again"


def test_a_folder_that_is_not_this_user_s_alone_is_not_trusted(
    fresh: TinyBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (fresh.folder / "packed").write_text("in the way")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (tmp_path / f"rootstock-{os.getuid()}").symlink_to(elsewhere)
    assert torch.isfinite(hidden(fresh)).all()
    assert "not a folder of this user's alone" in caplog.text
    assert not list(elsewhere.iterdir())


def test_what_nobody_used_for_a_week_is_removed_and_who_has_it_mapped_keeps_it(fresh: TinyBase) -> None:
    segments = [Segment(list(range(5, 25)))]
    mapped = load_decoder(fresh.folder, native=False)
    old = packed_file(fresh)
    with torch.inference_mode():
        expected = mapped.forward(segments, None, None)
    partial, recent, foreign = (
        old.with_name(name) for name in (f"{'a' * 16}.{'b' * 8}.partial", f"{'c' * 16}.so", "notes.txt")
    )
    for path in (partial, recent, foreign):
        path.write_bytes(b"some")
    link = old.with_name(f"{'d' * 16}.safetensors")
    link.symlink_to(foreign)
    for path, days in ((old, 8), (partial, 1), (recent, 6), (foreign, 99)):
        moment = time.time() - days * 86400
        os.utime(path, (moment, moment))
    used(old.with_name(f"{'e' * 16}.safetensors"))
    assert not old.exists()
    assert not partial.exists()
    assert recent.exists()
    assert foreign.exists()
    assert link.is_symlink()
    with torch.inference_mode():
        assert torch.equal(mapped.forward(segments, None, None), expected)


def test_what_is_attached_is_not_old(fresh: TinyBase) -> None:
    hidden(fresh)
    path = packed_file(fresh)
    os.utime(path, (0, 0))
    hidden(fresh)
    assert path.stat().st_atime > time.time() - 60
    assert path.stat().st_mtime == 0


def test_whoever_may_read_the_base_may_map_what_is_packed(fresh: TinyBase) -> None:
    (fresh.folder / "base.safetensors").chmod(0o644)
    fresh.folder.chmod(0o755)
    before = os.umask(0o077)
    try:
        hidden(fresh, native=False)
    finally:
        os.umask(before)
    assert packed_file(fresh).stat().st_mode & 0o777 == 0o644
    assert packed_file(fresh).parent.stat().st_mode & 0o777 == 0o755
