"""The compiled kernels on disk. The compiler of these tests only copies what the real one made."""

from collections.abc import Callable
from pathlib import Path

import pytest

from models_zoo.llm import native
from models_zoo.llm.decoder import Decoder
from tests.models_zoo.llm.tiny import TinyBase

Start = Callable[[], bool]


@pytest.fixture
def made(base: TinyBase, decoder: Decoder) -> bytes:
    """The kernels as they were loaded in this process, beside whichever base was the first."""
    kernels = native.library(base.folder / "packed")
    if decoder.native is None or kernels is None:
        pytest.skip("this machine has no kernels of our own")
    return Path(kernels._name).read_bytes()


@pytest.fixture
def compiler(made: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A g++ that writes a line to the file given back each time it runs."""
    made_by_it, runs, program = tmp_path / "made", tmp_path / "runs", tmp_path / "bin" / "g++"
    made_by_it.write_bytes(made[: -native.DIGEST_BYTES])
    runs.write_text("")
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho run >> {runs}\nfor last; do :; done\ncp {made_by_it} "$last"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return runs


@pytest.fixture
def start(compiler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """What a new process does: whether it gets the kernels."""

    def load() -> bool:
        monkeypatch.setattr(native, "_loaded", {})
        return native.library(tmp_path / "packed") is not None

    return load


def test_it_works(start: Start, compiler: Path, made: bytes, tmp_path: Path) -> None:
    assert start()
    assert start()
    assert compiler.read_text() == "run\n"
    (path,) = (tmp_path / "packed").iterdir()
    assert path.read_bytes() == made


def test_a_damaged_file_is_compiled_again(start: Start, compiler: Path, made: bytes, tmp_path: Path) -> None:
    assert start()
    (path,) = (tmp_path / "packed").iterdir()
    flipped = bytes([*made[:5000], made[5000] ^ 1, *made[5001:]])
    damages = [b"", made[:100], made[:4096], made[: len(made) // 2], made[:-2000], flipped]
    for number, damaged in enumerate(damages, start=2):
        path.unlink()
        path.write_bytes(damaged)
        assert start()
        assert path.read_bytes() == made
        assert start()
        assert compiler.read_text() == "run\n" * number


def test_where_the_folder_cannot_be_written_they_are_kept_for_the_user(
    start: Start, compiler: Path, tmp_path: Path
) -> None:
    (tmp_path / "packed").write_text("in the way")
    assert start()
    assert start()
    assert compiler.read_text() == "run\n"
    (own,) = tmp_path.glob("rootstock-*")
    assert own.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_can_write_is_not_trusted(
    start: Start, compiler: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "packed").write_text("in the way")
    assert start()
    (own,) = tmp_path.glob("rootstock-*")
    own.chmod(0o777)
    assert not start()
    assert "not a folder of this user's alone" in caplog.text


def test_why_there_are_none_is_logged(
    start: Start,
    compiler: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "bin" / "g++").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(native, "COMPILE_SECONDS", 0.2)
    assert not start()
    assert "timed out after 0.2 seconds" in caplog.text
    (tmp_path / "bin" / "g++").write_text("#!/bin/sh\necho no such instruction >&2; exit 1\n")
    assert not start()
    assert "no such instruction" in caplog.text
    assert not list((tmp_path / "packed").iterdir())
