from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from models_zoo.llm import linear
from tests.models_zoo.llm.tiny import TinyBase, make_adapter, make_base
from workers.engine.local import LocalEngine


@dataclass(frozen=True)
class Desk:
    """An engine over the tiny base, and adapter folders for it."""

    base: TinyBase
    engine: LocalEngine
    folders: dict[str, Path]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[TinyBase, dict[str, Path]]:
    root = tmp_path_factory.mktemp("engine")
    base = make_base(root / "base")
    folders = {
        name: make_adapter(root / name, base, seed=n) for n, name in enumerate(("one", "two", "three"))
    }
    labels = ("bad", "fine", "good")
    folders["class"] = make_adapter(
        root / "class", base, seed=7, task="classification", labels=labels, bidirectional=True
    )
    folders["tags"] = make_adapter(
        root / "tags", base, seed=8, task="tagging", labels=("NAME",), bidirectional=True
    )
    return base, folders


@pytest.fixture
def desk(tiny: tuple[TinyBase, dict[str, Path]], monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Every product in float32: a random model's nearly equal logits must not hang on the kernel chosen."""
    monkeypatch.setattr(linear, "DEQUANTIZE_FROM_ROWS", 0)
    monkeypatch.setattr(linear, "INT8_HEAD_BELOW_ROWS", 0)
    base, folders = tiny
    engine = LocalEngine(base.folder, threads=1, slots=2, sequences=4, context=256, waiting=32)
    yield Desk(base, engine, folders)
    engine.close()
