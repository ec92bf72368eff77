"""Thresholds and figures on the int4 base, over a data set of a few lines."""

import gzip
import shutil
from dataclasses import replace

import pytest

from models_zoo.emotion.evaluation import Setup, evaluate, settle_thresholds
from models_zoo.emotion.labels import LABELS
from models_zoo.llm.card import ADAPTER_CARD_FILE, ModelError, read_adapter_card, write_card
from tests.models_zoo.emotion.test_predict import ADAPTER

pytestmark = pytest.mark.slow
LINES = (
    "Thank you so much!\t15\ta\nI hate this.\t2\tb\nHow does it work?\t7\tc\n"
    "I am so sad.\t25\td\nFine.\t27\te\nThank you, really!\t15\tf\n"
)


@pytest.fixture
def setup(base, tmp_path) -> Setup:
    original = tmp_path / "data" / "original"
    original.mkdir(parents=True)
    (original / "labels.txt").write_text("\n".join(LABELS))
    (original / "dev.tsv").write_text(LINES)
    (original / "test.tsv").write_text(LINES)
    with gzip.open(original / "train.tsv.gz", "wt") as file:
        file.write(LINES)
    shutil.copytree(ADAPTER, tmp_path / "adapter")
    return Setup(base, tmp_path / "adapter", tmp_path / "data", threads=2)


@pytest.mark.filterwarnings("ignore:Label not")
def test_thresholds_are_settled_and_figures_printed(setup):
    card = read_adapter_card(setup.adapter)
    write_card(replace(card, thresholds={}), setup.adapter / ADAPTER_CARD_FILE)
    with pytest.raises(ModelError, match="no thresholds yet"):
        evaluate(setup)
    assert "test_macro_f1" in settle_thresholds(setup)
    settled = read_adapter_card(setup.adapter)
    assert set(settled.thresholds) == set(LABELS)
    assert settled.metrics["test_macro_f1"] > 0.1  # five of the 28 labels occur
    table = evaluate(setup)
    assert "adapter on the int4 base, cpu" in table
    assert "TF-IDF + logistic regression" in table
