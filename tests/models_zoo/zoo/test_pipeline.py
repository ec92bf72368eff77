"""Every step of `python -m models_zoo.zoo` on a tiny base, and what it gives beside what the engine serves."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from models_zoo.emotion.labels import LABELS
from models_zoo.llm.card import ADAPTER_CARD_FILE, read_adapter_card, write_card
from models_zoo.zoo.__main__ import main
from models_zoo.zoo.cards import cards_read
from models_zoo.zoo.recipe import read_recipe, training_spec
from models_zoo.zoo.served import Served
from models_zoo.zoo.tasks import MODULES, task_of
from tests.models_zoo.llm.tiny import TinyBase, make_adapter, make_base

LINES = (
    "Thank you so much!\t15\ta\nI hate this.\t2\tb\nHow does it work?\t7\tc\n"
    "I am so sad.\t25\td\nFine.\t27\te\nThank you, really!\t15\tf\n"
)
TEXTS = ["a bad cafe", "the deed of a face", "", "fade " * 90]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyBase:
    return make_base(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "support_goemotions" / "original"
    folder.mkdir(parents=True)
    (folder / "labels.txt").write_text("\n".join(LABELS))
    for name in ("dev.tsv", "test.tsv"):
        (folder / name).write_text(LINES)
    (folder / "train.tsv.gz").write_bytes(gzip.compress(LINES.encode()))
    return folder.parents[1]


def test_it_works(tiny: TinyBase, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work, cards = tmp_path / "work", tmp_path / "cards"
    places = ["support-emotion", "--data", str(data), "--work", str(work), "--base", str(tiny.folder)]
    assert main(["prepare", *places]) == 0
    assert "validation: 6 examples" in capsys.readouterr().out
    changes = [part for one in ("max_steps=2", "batch_size=4", "evaluate_every=1") for part in ("--set", one)]
    assert main(["train", *places, *changes]) == 0
    adapter = work / "adapter"
    card = read_adapter_card(adapter)
    assert card.training["commands"] == ["python -m models_zoo.zoo make support-emotion"]
    assert card.training["device_name"] == "cpu"
    assert not (work / "checkpoint.safetensors").exists()
    assert main(["thresholds", *places, "--adapter", str(adapter)]) == 0
    assert set(read_adapter_card(adapter).thresholds) == set(LABELS)
    assert main(["evaluate", *places, "--adapter", str(adapter), "--card", "--cards", str(cards)]) == 0
    out = capsys.readouterr().out
    assert "| test macro_f1 |" in out
    assert "**missed**" in out
    [told] = cards_read(cards)
    assert told.name == "support-emotion"
    assert told.leakage["test"]["exact"] == 6
    assert told.figures[0]["least"] == 0.54
    assert read_adapter_card(adapter).metrics["test_macro_f1"] == told.figures[0]["value"]
    assert main(["leakage", *places]) == 0
    assert "test: 6 examples, 6 exactly" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "nobody"], "'nobody' is none of support-emotion"),
        (["prepare", "support-emotion", "--data", "/nowhere"], "labels.txt"),
        (["train", "support-emotion", "--set", "epochs=", "--work", "/nowhere"], "--set epochs="),
        (["train", "support-emotion", "--set", "wings=2", "--work", "/nowhere"], "wings"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("name", MODULES)
def test_every_recipe_is_whole_and_small_enough(name: str) -> None:
    task = task_of(name)
    spec = training_spec(task, Path("work"), Path("base"), "cpu")
    assert spec.name == name
    assert spec.data_note
    assert spec.overlap_tokens < spec.max_tokens
    _, words = read_recipe(task)
    assert words.purpose.endswith(".")
    assert words.limits
    assert words.data
    assert all(bar.split()[0] in task.measures for bar in task.bars)


@pytest.mark.parametrize(
    ("kind", "multi"), [("classification", True), ("classification", False), ("tagging", False)]
)
def test_what_is_measured_is_what_is_served(tiny: TinyBase, tmp_path: Path, kind: str, multi: bool) -> None:
    from workers.engine.local import LocalEngine

    folder = make_adapter(tmp_path / "one", tiny, task=kind, labels=("A", "B"), bidirectional=True)
    write_card(replace(read_adapter_card(folder), multi_label=multi), folder / ADAPTER_CARD_FILE)
    served = Served(tiny.folder, folder)
    engine = LocalEngine(tiny.folder, slots=4, sequences=2, kv_bytes=1 << 22)
    try:
        engine.load("one", folder)
        if kind == "tagging":
            theirs = [[(s.start, s.end, s.label) for s in spans] for spans in engine.tag(TEXTS, "one")]
            assert served.spans(TEXTS) == theirs
        else:
            theirs = [[row["A"], row["B"]] for row in engine.classify(TEXTS, "one")]
            for mine, other in zip(served.probabilities(TEXTS).tolist(), theirs, strict=True):
                assert mine == pytest.approx(other, abs=1e-3)
    finally:
        engine.close()


def test_answers_are_the_engines(tiny: TinyBase, tmp_path: Path) -> None:
    from workers.engine.local import LocalEngine
    from workers.engine.protocol import Sampling

    folder = make_adapter(tmp_path / "one", tiny, task="chat")
    asked = [[{"role": "user", "content": text}] for text in ("a bad cafe", "fade", "the deed of a face")]
    engine = LocalEngine(tiny.folder, slots=4, sequences=4, kv_bytes=1 << 22)
    try:
        engine.load("one", folder)
        said = [engine.generate(one, Sampling(max_tokens=12), "one") for one in asked[:1]]
        theirs = ["".join(chunk.text for chunk in chunks).strip() for chunks in said]
    finally:
        engine.close()
    served = Served(tiny.folder, folder)
    assert served.answers(asked[:1], 12) == theirs
    assert len(served.answers(asked, 3)) == len(asked)
