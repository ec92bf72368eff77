"""`manage.py retrain`: shipped adapters on a base of another architecture, and who serves them then."""

import csv
import gzip
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from models_zoo.emotion.labels import LABELS
from models_zoo.llm.adapter import load_adapter
from models_zoo.llm.card import read_card
from models_zoo.zoo.tasks import task_of
from rootstock.registry.shipped import retrained_folder, shipped_folder
from tests.models_zoo.llm.sources import hf_folder, llama

LINES = "Thank you so much!\t15\ta\nI hate this.\t2\tb\nHow does it work?\t7\tc\nFine.\t27\te\n"
QUICK = ["max_steps=2", "batch_size=4", "evaluate_every=1"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    emotions = tmp_path / "data" / "support_goemotions" / "original"
    emotions.mkdir(parents=True)
    (emotions / "labels.txt").write_text("\n".join(LABELS))
    (emotions / "train.tsv.gz").write_bytes(gzip.compress(LINES.encode()))
    for name in ("dev.tsv", "test.tsv"):
        (emotions / name).write_text(LINES)
    bank = tmp_path / "data" / "support_banking77"
    bank.mkdir()
    for name in ("train", "test"):
        with gzip.open(bank / f"{name}.csv.gz", "wt", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(["text", "category"])
            rows.writerows([f"where is my card {n}", ("card_arrival", "lost_card")[n % 2]] for n in range(40))
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def own_var(tmp_path: Path, settings: Any) -> None:
    settings.VAR_DIR, settings.MODELS_DIR = tmp_path / "var", tmp_path / "var" / "models"


def test_it_works(data: Path, tmp_path: Path, settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    source = hf_folder(tmp_path / "Other-Base", llama(seed=3, kind="mistral"))
    for name in ("support-emotion", "bank-intent"):
        call_command("retrain", name, base=source, data=data, changes=QUICK)
        base = read_card(settings.MODELS_DIR / "other-base")
        folder = retrained_folder(base.fingerprint, name)
        assert load_adapter(folder, base).card.name == name
        shipped = task_of(name).adapter
        assert shipped_folder(base.fingerprint, name, shipped) == folder
        assert shipped_folder("another base's", name, shipped) == shipped
        assert [path.name for path in folder.parent.glob(".*")] == []
    out = capsys.readouterr().out
    assert "| test macro_f1 |" in out
    assert "taken by workers that serve" in out


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("nobody", [], "'nobody' is none of"),
        ("meld-emotion", [], "for measurement only"),
        ("support-emotion", ["rank=0"], "rank is 0"),
    ],
)
def test_what_is_wrong_is_said(name: str, changes: list[str], told: str, data: Path, tmp_path: Path) -> None:
    source = hf_folder(tmp_path / "other", llama())
    with pytest.raises(CommandError, match=told):
        call_command("retrain", name, base=source, data=data, changes=changes)


def test_a_base_that_is_not_there(data: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nowhere"):
        call_command("retrain", "support-emotion", base=tmp_path / "nowhere", data=data, changes=[])
