"""Soft labels: read as probabilities, learned as such, made by an ensemble."""

import json
from pathlib import Path

import pytest

from models_zoo.llm.card import ADAPTER_FILE, ModelError
from models_zoo.llm.training import TrainSpec, train_lora
from models_zoo.zoo.distil import soften
from models_zoo.zoo.files import read_lines
from tests.models_zoo.llm.tiny import TinyBase, make_adapter, make_base

ROWS = [{"text": "a bad cafe", "labels": ["A"]}, {"text": "the deed", "labels": ["B"]}]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyBase:
    return make_base(tmp_path_factory.mktemp("models") / "tiny")


def write(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def trained(tiny: TinyBase, folder: Path, rows: list[dict], **more: object) -> bytes:
    folder.mkdir()
    settings = {
        "name": "x",
        "task": "classification",
        "labels": ("A", "B"),
        "max_steps": 1,
        "rank": 2,
        "dropout": 0.0,
    }
    train = write(folder / "train.jsonl", rows)
    spec = TrainSpec(base=tiny.folder, target=folder / "adapter", train=train, **{**settings, **more})
    list(train_lora(spec))
    return (folder / "adapter" / ADAPTER_FILE).read_bytes()


@pytest.mark.parametrize("multi", [False, True])
def test_it_works(tiny: TinyBase, tmp_path: Path, multi: bool) -> None:
    sure = [row | {"probabilities": [1.0]} for row in ROWS]
    unsure = [row | {"labels": ["A", "B"], "probabilities": [0.7, 0.3]} for row in ROWS]
    hard, same, soft = (
        trained(tiny, tmp_path / name, rows, multi_label=multi)
        for name, rows in (("hard", ROWS), ("same", sure), ("soft", unsure))
    )
    assert hard == same != soft


@pytest.mark.parametrize(
    ("given", "told"),
    [([0.5, 0.5], "2 entries, expected one for each of 1"), ([1.5], "1.5"), (["x"], "'x'"), ([True], "True")],
)
def test_what_is_no_probability_is_named(tiny: TinyBase, tmp_path: Path, given: list, told: str) -> None:
    with pytest.raises(ModelError, match=rf"example 1: probabilities has .*{told}"):
        trained(tiny, tmp_path / "bad", [ROWS[0] | {"probabilities": given}])


def test_teachers_are_averaged(tiny: TinyBase, tmp_path: Path) -> None:
    teachers = [
        make_adapter(
            tmp_path / f"t{seed}",
            tiny,
            seed=seed,
            task="classification",
            labels=("A", "B"),
            bidirectional=True,
        )
        for seed in (1, 2)
    ]
    path = write(tmp_path / "train.jsonl", ROWS)
    assert soften(tiny.folder, teachers, path, tmp_path / "soft.jsonl", "cpu", 0.5) == 2
    for row, hard in zip(read_lines(tmp_path / "soft.jsonl"), ROWS, strict=True):
        found = dict(zip(row["labels"], row["probabilities"], strict=True))
        assert sum(found.values()) == pytest.approx(1.0, abs=0.02)
        assert found[hard["labels"][0]] >= 0.5
    other = make_adapter(tmp_path / "other", tiny, task="classification", labels=("C",), bidirectional=True)
    with pytest.raises(ModelError, match="labels of the first teacher"):
        soften(tiny.folder, [teachers[0], other], path, path, "cpu", 0.5)
