"""Adapters made with teachers: what these find in another corpus is blended in, and what they say of a text learned."""

import gzip
from pathlib import Path

import pytest

from models_zoo.llm.card import ModelError, read_adapter_card
from models_zoo.zoo.__main__ import main
from models_zoo.zoo.distil import distil, relabel
from models_zoo.zoo.files import read_lines, write_lines
from models_zoo.zoo.leakage import leakage
from models_zoo.zoo.recipe import Teachers, read_teachers
from models_zoo.zoo.served import Served
from models_zoo.zoo.tasks import MODULES, task_of
from tests.models_zoo.llm.tiny import TinyBase, make_adapter, make_base

OWN = "A\tO\nbad\tB-Disease\ncafe\tI-Disease\n.\tO\n\n" * 12
OTHER = "The\tO\ndeed\tB-Chemical\nfades\tB-Disease\n.\tO\n\n" * 6
STEPS = [part for one in ("max_steps=1", "batch_size=4") for part in ("--set", one)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyBase:
    return make_base(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for folder, text in (("ehr_ner_ncbi_disease", OWN), ("ehr_ner_bc5cdr", OTHER)):
        place = tmp_path / "data" / folder
        place.mkdir(parents=True)
        for name in ("train", "devel"):
            (place / f"{name}.tsv.gz").write_bytes(gzip.compress(text.encode()))
    return tmp_path / "data"


def test_one_command_makes_an_adapter_with_its_teachers(
    tiny: TinyBase, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "work"
    places = ["clinical-diseases", "--data", str(data), "--work", str(work), "--base", str(tiny.folder)]
    assert main(["make", *places, *STEPS]) == 0
    teachers = read_teachers(task_of("clinical-diseases"))
    assert teachers is not None
    out = capsys.readouterr().out
    assert f"with what {teachers.count} teachers say" in out
    cards = [read_adapter_card(work / f"teacher-{seed}" / "adapter") for seed in range(teachers.count)]
    assert [card.training["seed"] for card in cards] == list(range(teachers.count))
    assert {card.training["rank"] for card in cards} == {teachers.changes["rank"]}
    card = read_adapter_card(work / "adapter")
    assert card.training["rank"] != teachers.changes["rank"]
    assert card.training["mix"] == "mix.jsonl"
    assert card.training["commands"] == ["python -m models_zoo.zoo make clinical-diseases"]
    gold = read_lines(work / "teacher-0" / "mix.jsonl")
    assert {label for row in gold for _, _, label in row["spans"]} == {"DISEASE"}
    assert [row["text"] for row in read_lines(work / "mix.jsonl")] == [row["text"] for row in gold]


def test_the_other_corpus_counts_as_training_data(data: Path) -> None:
    """A test sentence that only the corpus blended in holds leaks too."""
    held = data / "ehr_ner_ncbi_disease" / "devel.tsv.gz"
    held.write_bytes(gzip.compress(OTHER.encode()))
    assert leakage(task_of("clinical-diseases"), data)["test"].exact == 6


def test_one_teachers_spans_are_its_own(tiny: TinyBase, tmp_path: Path) -> None:
    teacher = make_adapter(tmp_path / "one", tiny, task="tagging", labels=("A", "B"), bidirectional=True)
    texts = ["a bad cafe", "the deed of a face", "fade " * 90]
    write_lines(tmp_path / "mix.jsonl", [{"text": text, "spans": []} for text in texts])
    assert (
        relabel(tiny.folder, [teacher, teacher], tmp_path / "mix.jsonl", tmp_path / "new.jsonl", "cpu") == 3
    )
    found = [[tuple(span) for span in row["spans"]] for row in read_lines(tmp_path / "new.jsonl")]
    assert found == Served(tiny.folder, teacher).spans(texts)
    assert any(found)


def test_who_cannot_teach_is_named(tiny: TinyBase, tmp_path: Path) -> None:
    other = make_adapter(tmp_path / "other", tiny, task="classification", labels=("C",), bidirectional=True)
    write_lines(tmp_path / "mix.jsonl", [{"text": "a", "spans": []}])
    with pytest.raises(ModelError, match="expected an adapter for tagging"):
        distil(task_of("clinical-diseases"), tiny.folder, [other], tmp_path, "cpu", 0.4)
    with pytest.raises(ModelError, match="narrative: is for chat"):
        distil(task_of("fraud-narrative"), tiny.folder, [other], tmp_path, "cpu", 0.4)


@pytest.mark.parametrize("name", MODULES)
def test_teachers_of_every_recipe_are_fields_of_the_training(name: str) -> None:
    from models_zoo.zoo.recipe import training_spec

    teachers = read_teachers(task_of(name)) or Teachers(1)
    assert teachers.count > 0
    assert 0 <= teachers.hard <= 1
    training_spec(task_of(name), Path("work"), Path("base"), "cpu", teachers.settings(0))
