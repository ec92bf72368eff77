from collections.abc import Iterator, Sequence
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

    @property
    def exact(self) -> bool:
        """Whether a row's result is the same to the bit whatever rows are computed with it."""
        return self.engine._loop._runner.decoder.native is not None


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
def desk(
    tiny: tuple[TinyBase, dict[str, Path]], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """On our own kernels where the machine has them; `both_paths` asks for "kernels" and "torch" by name.

    On torch's operations every product is float32, since those of int4 differ with the number of rows; what is
    left are near ties of a random model's logits (`Desk.exact`).
    """
    monkeypatch.setattr(linear, "DEQUANTIZE_FROM_ROWS", 0)
    monkeypatch.setattr(linear, "INT8_HEAD_BELOW_ROWS", 0)
    path = getattr(request, "param", None)
    base, folders = tiny
    engine = LocalEngine(
        base.folder, threads=1, slots=2, sequences=4, context=256, waiting=32, native=path != "torch"
    )
    found = Desk(base, engine, folders)
    if path == "kernels" and not found.exact:
        engine.close()
        pytest.skip("this machine has no compiler or processor for our own kernels")
    yield found
    engine.close()


both_paths = pytest.mark.parametrize("desk", ["kernels", "torch"], indirect=True)


def assert_same(desk: Desk, alone: Sequence[object], together: Sequence[object]) -> None:
    """Replies do not depend on company: none differs, or at most one where sums are not exact."""
    differing = [pair for pair in zip(alone, together, strict=True) if pair[0] != pair[1]]
    assert len(differing) <= (0 if desk.exact else 1), differing
