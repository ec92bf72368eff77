"""The committed recipe: what it says must fit the labels, and the size that a shipped adapter may have."""

from pathlib import Path

from models_zoo import emotion
from models_zoo.emotion.labels import LABELS
from models_zoo.llm.training import read_spec

FOLDER = Path(emotion.__file__).parent
# SmolLM2-135M: hidden 576, key/value 192, intermediate 1536, 30 layers.
LINEARS = ((576, 576), (576, 192), (576, 192), (576, 576), (576, 1536), (576, 1536), (1536, 576))


def test_the_spec_is_read_and_names_the_labels_in_order():
    spec = read_spec(FOLDER / "spec.toml")
    assert spec.labels == LABELS
    assert (spec.task, spec.multi_label, spec.bidirectional) == ("classification", True, True)


def test_adapter_and_head_fit_in_four_megabytes():
    spec = read_spec(FOLDER / "spec.toml")
    adapter = 30 * spec.rank * sum(inputs + outputs for inputs, outputs in LINEARS)
    head = 577 + 2 * 1152 + 1152 * len(LABELS) + len(LABELS)
    assert 2 * (adapter + head) < 4_000_000
