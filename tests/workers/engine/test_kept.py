"""Prepared weights beside an adapter's files: believed only as they were written, and missed by nobody."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from models_zoo.llm.adapter import load_adapter
from models_zoo.llm.cuda.pool import StackedPool
from models_zoo.llm.lora import LoraPool
from tests.models_zoo.llm.tiny import TinyBase
from tests.workers.engine.conftest import Desk
from workers.engine import kept, runner
from workers.engine.kept import KeptError, fill, keep
from workers.engine.local import LocalEngine
from workers.engine.protocol import Sampling

CPU = torch.device("cpu")


def test_what_is_kept_comes_back_to_the_byte(tmp_path: Path) -> None:
    data, found = torch.randn(3 * kept.PIECE // 4 + 5), torch.empty(3 * kept.PIECE // 4 + 5)
    digest = keep(tmp_path / "prepared", data)
    assert digest
    fill(found, tmp_path / "prepared", digest)
    assert torch.equal(found, data)
    assert [path.name for path in tmp_path.iterdir()] == ["prepared"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[:-1],
        lambda raw: raw + b"\0",
        lambda raw: raw[:40] + bytes([raw[40] ^ 1]) + raw[41:],
    ],
)
def test_another_byte_than_was_written_is_refused(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    path, data = tmp_path / "prepared", torch.randn(100)
    digest = keep(path, data)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(KeptError):
        fill(torch.empty(100), path, digest or "")


def test_nothing_is_kept_where_nothing_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep(tmp_path / "gone" / "prepared", torch.ones(3)) is None
    monkeypatch.setattr(kept, "FREE", 1.0)  # the disk counts as full
    assert keep(tmp_path / "prepared", torch.ones(3)) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stacked", [True, False])
def test_memory_for_an_adapter_is_laid_out_as_the_adapter(
    tiny: tuple[TinyBase, dict[str, Path]], stacked: bool
) -> None:
    base, folders = tiny
    config = base.card.config
    pool = StackedPool(config, CPU, 2, "int8") if stacked else LoraPool(config, CPU, torch.float32)
    one = pool.prepare(load_adapter(folders["one"], base.card).weights)
    blank = pool.blank(one.rank, list(one.expand))
    blank.data.copy_(one.data)
    for name in ("shrink", "expand", "scale"):
        assert all(torch.equal(part, getattr(blank, name)[key]) for key, part in getattr(one, name).items())


def test_an_adapter_that_comes_back_answers_as_before(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From what was kept, and from its own files when that is spoilt."""
    monkeypatch.setattr(runner, "KEEP_FROM", 0)
    folders = {name: tmp_path / name for name in ("one", "two")}
    for name, folder in folders.items():
        shutil.copytree(desk.folders[name], folder)
    desk.engine.load("one", folders["one"])
    size = desk.engine.adapters()[0].bytes
    engine = LocalEngine(
        desk.base.folder,
        threads=1,
        slots=1,
        sequences=2,
        context=256,
        adapter_bytes=int(1.5 * size),
        native=desk.exact,
    )
    for name, folder in folders.items():
        engine.load(name, folder)
    read, reads = engine._loop.residency._read, []
    engine._loop.residency._read = lambda folder: (reads.append(folder.name), read(folder))[1]

    def answers() -> list[str]:
        sampling = Sampling(max_tokens=12, temperature=0.0, ignore_end=True)
        return [
            "".join(chunk.text for chunk in engine.generate("a patient came in", sampling, name))
            for name in ("one", "two", "one", "two")
        ]

    first = answers()
    assert len({*first}) == 2
    assert reads == []
    (path,) = folders["one"].glob("prepared-*")
    path.write_bytes(path.read_bytes()[:-1])
    assert answers() == first
    assert reads == ["one"]
    engine._loop.residency._loader.submit(lambda: None).result(10)  # it is kept again by now
    assert answers() == first
    assert reads == ["one"]
    engine.close()
