import gzip
import json

import pytest

from models_zoo.emotion.__main__ import main
from models_zoo.emotion.dataset import Example, read_split, write_jsonl
from models_zoo.emotion.labels import LABELS


@pytest.fixture
def data(tmp_path):
    original = tmp_path / "goemotions" / "original"
    original.mkdir(parents=True)
    (original / "labels.txt").write_text("\n".join(LABELS))
    with gzip.open(original / "train.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("Thanks, that fixed it!\t15,23\tabc\nStill broken.\t9\tabd\n")
    (original / "dev.tsv").write_text("Why?\t7\tabe\n")
    (original / "test.tsv").write_text("Fine.\t27\tabf\n")
    return original.parent


def test_it_works(data, tmp_path):
    examples = read_split(data, "train")
    assert examples[0] == Example("Thanks, that fixed it!", ("gratitude", "relief"))
    digest = write_jsonl(examples, tmp_path / "out" / "train.jsonl")
    lines = (tmp_path / "out" / "train.jsonl").read_text().splitlines()
    assert json.loads(lines[1]) == {"text": "Still broken.", "labels": ["disappointment"]}
    assert len(digest) == 64


def test_the_command_writes_all_three_splits(data, tmp_path, capsys):
    assert main(["dataset", "--data", str(data), "--out", str(tmp_path / "out"), "--limit", "1"]) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["dev.jsonl", "test.jsonl", "train.jsonl"]
    assert "train: 1 examples" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["no tabs at all", "text\tx\tid", "text\t28\tid"])
def test_a_broken_line_is_named(data, line):
    (data / "original" / "dev.tsv").write_text(f"Why?\t7\tabe\n{line}\n")
    with pytest.raises(ValueError, match=r"dev\.tsv:2"):
        read_split(data, "dev")


def test_another_label_file_is_refused(data):
    (data / "original" / "labels.txt").write_text("joy\nanger\n")
    with pytest.raises(ValueError, match="28 labels"):
        read_split(data, "dev")


def test_missing_data_is_one_line_and_exit_code_1(tmp_path, capsys):
    assert main(["dataset", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path)]) == 1
    assert "nowhere" in capsys.readouterr().err
