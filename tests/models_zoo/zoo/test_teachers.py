"""Recipes with teachers, and with a second corpus that is blended in: one command makes the adapter."""

import gzip
from pathlib import Path

import pytest

from models_zoo.emotion.labels import LABELS
from models_zoo.llm.card import read_adapter_card
from models_zoo.zoo.__main__ import main
from models_zoo.zoo.files import read_lines
from models_zoo.zoo.recipe import Teachers, read_teachers, training_spec
from models_zoo.zoo.tasks import MIX, MODULES, TRAIN, task_of
from tests.models_zoo.llm.tiny import TinyBase, make_base

LINES = "Thank you so much!\t15\ta\nI hate this.\t2\tb\nHow does it work?\t7\tc\nFine.\t27\te\n"
OWN = "A\tO\nbad\tB-Disease\ncafe\tI-Disease\n.\tO\n\n" * 12
OTHER = "The\tO\ndeed\tB-Chemical\nfades\tB-Disease\n.\tO\n\n" * 6
QUICK = [part for one in ("max_steps=1", "batch_size=4") for part in ("--set", one)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyBase:
    return make_base(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    emotions = tmp_path / "data" / "support_goemotions" / "original"
    emotions.mkdir(parents=True)
    (emotions / "labels.txt").write_text("\n".join(LABELS))
    (emotions / "train.tsv.gz").write_bytes(gzip.compress(LINES.encode()))
    for name in ("dev.tsv", "test.tsv"):
        (emotions / name).write_text(LINES)
    for folder, text in (("ehr_ner_ncbi_disease", OWN), ("ehr_ner_bc5cdr", OTHER)):
        place = tmp_path / "data" / folder
        place.mkdir()
        for name in ("train", "devel"):
            (place / f"{name}.tsv.gz").write_bytes(gzip.compress(text.encode()))
    return tmp_path / "data"


def places(name: str, tiny: TinyBase, data: Path, work: Path) -> list[str]:
    return [name, "--data", str(data), "--work", str(work), "--base", str(tiny.folder)]


def test_teachers_are_made_first(
    tiny: TinyBase, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work, teachers = tmp_path / "work", read_teachers(task_of("support-emotion"))
    assert teachers is not None
    command = ["make", *places("support-emotion", tiny, data, work), *QUICK]
    assert main(command) == 0
    assert f"with probabilities of {teachers.count} teachers" in capsys.readouterr().out
    cards = [read_adapter_card(work / f"teacher-{seed}" / "adapter") for seed in range(teachers.count)]
    assert [card.training["seed"] for card in cards] == list(range(teachers.count))
    assert {card.training["rank"] for card in cards} == {teachers.changes["rank"]}
    assert "probabilities" not in read_lines(work / "teacher-0" / "train.jsonl")[0]
    assert "probabilities" in read_lines(work / "train.jsonl")[0]
    card = read_adapter_card(work / "adapter")
    assert card.training["rank"] != teachers.changes["rank"]
    assert card.training["commands"] == ["python -m models_zoo.zoo make support-emotion"]
    assert set(card.thresholds) == set(LABELS)
    made = (work / "teacher-0" / "adapter" / "card.json").stat().st_mtime_ns
    assert main(command) == 0  # what is there already is not trained again
    assert (work / "teacher-0" / "adapter" / "card.json").stat().st_mtime_ns == made


def test_what_is_wrong_is_said_before_teachers_are_trained(
    tiny: TinyBase, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["make", *places("support-emotion", tiny, data, tmp_path / "work"), "--set", "rank=0"]) == 2
    assert "rank is 0" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


def test_another_corpus_is_blended_in(tiny: TinyBase, data: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    blend = ["--set", "mix_schedule=[0.6, 0.0]"]
    assert main(["make", *places("clinical-diseases", tiny, data, work), *QUICK, *blend]) == 0
    assert read_adapter_card(work / "adapter").training["mix"] == "mix.jsonl"
    marked = {
        (row["text"][a:b], label) for row in read_lines(work / "mix.jsonl") for a, b, label in row["spans"]
    }
    assert {(text.lower(), label) for text, label in marked} == {("fades", "DISEASE")}


def test_what_has_no_other_corpus_says_so(
    tiny: TinyBase, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blend = ["--set", "mix_schedule=[0.6, 0.0]"]
    assert main(["make", *places("support-emotion", tiny, data, tmp_path / "work"), *blend]) == 2
    assert "mix_schedule: support-emotion has no second corpus" in capsys.readouterr().err


@pytest.mark.parametrize("name", MODULES)
def test_recipes_with_teachers_are_fields_of_the_training(name: str) -> None:
    task = task_of(name)
    teachers = read_teachers(task) or Teachers(1)
    assert teachers.count > 0
    assert 0 <= teachers.hard <= 1
    spec = training_spec(task, Path("work"), Path("base"), "cpu", teachers.settings(0))
    assert spec.task == "classification" or read_teachers(task) is None
    assert spec.train.stem == TRAIN
    assert spec.mix is None or spec.mix.stem == MIX
