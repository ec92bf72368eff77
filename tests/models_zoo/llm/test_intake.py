"""Hostile uploads are refused by name and reason and leave nothing; good ones become an adapter's folder."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_zoo.llm.adapter import load_adapter
from models_zoo.llm.card import adapter_digest
from models_zoo.llm.foreign import LONGEST, bounded
from models_zoo.llm.intake.archive import ARCHIVE
from models_zoo.llm.intake.checks import Outcome, verify
from tests.models_zoo.llm.hostile import ARCHIVES, CONFIG, FOLDERS, WEIGHTS, packed
from tests.models_zoo.llm.tiny import TinyBase, make_adapter

LIMITED = """
import re, sys
from models_zoo.llm.intake.__main__ import main
main(sys.argv[1])
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""
CHECKS = ["files", "tensors", "configuration", "fit", "values"]


@pytest.fixture(scope="module")
def good(base: TinyBase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(tmp_path_factory.mktemp("good") / "good", base)


@pytest.fixture
def adapter(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "adapter"))


def outcomes(sources: dict[str, Path], tmp_path: Path, base: TinyBase) -> list[Outcome]:
    return list(verify(sources, tmp_path / "taken", base.card, "mine"))


def in_process(
    sources: dict[str, Path], tmp_path: Path, base: TinyBase
) -> tuple[list[dict[str, object]], int]:
    """What the limited process says, and the most memory it took, in bytes."""
    spec = {
        "sources": {name: str(path) for name, path in sources.items()},
        "folder": str(tmp_path / "taken"), "base": str(base.folder), "name": "mine",
    }  # fmt: skip
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    run = [sys.executable, "-c", LIMITED, str(tmp_path / "spec.json")]
    *told, memory = subprocess.run(run, stdout=subprocess.PIPE, check=True).stdout.splitlines()
    return [json.loads(line) for line in told], int(memory) * 1024


@pytest.mark.parametrize("top", ["", "my-adapter/"])
def test_a_good_zip_becomes_the_folder(base: TinyBase, adapter: Path, tmp_path: Path, top: str) -> None:
    packed(adapter, tmp_path / "a.zip", top)
    told = outcomes({ARCHIVE: tmp_path / "a.zip"}, tmp_path, base)
    assert [(one.check, one.passed) for one in told] == [(name, True) for name in CHECKS]
    assert adapter_digest(tmp_path / "taken") == adapter_digest(adapter)
    assert load_adapter(tmp_path / "taken", base.card).card.task == "chat"


def test_two_files_of_peft_get_a_card(base: TinyBase, adapter: Path, tmp_path: Path) -> None:
    told = outcomes({name: adapter / name for name in (WEIGHTS, CONFIG)}, tmp_path, base)
    assert all(one.passed for one in told)
    card = load_adapter(tmp_path / "taken", base.card).card
    assert (card.name, card.task, card.base_fingerprint) == ("mine", "chat", base.card.fingerprint)


@pytest.mark.parametrize("what", ARCHIVES)
def test_a_hostile_archive_is_refused(base: TinyBase, adapter: Path, tmp_path: Path, what: str) -> None:
    pack, message = ARCHIVES[what]
    pack(adapter, tmp_path / "a.zip")
    last = outcomes({ARCHIVE: tmp_path / "a.zip"}, tmp_path, base)[-1]
    assert (last.check, last.passed) == ("files", False)
    assert message in last.text
    assert not (tmp_path / "taken").exists()
    assert not (tmp_path / "evil.json").exists()


@pytest.mark.parametrize("what", FOLDERS)
def test_a_hostile_file_is_refused(base: TinyBase, adapter: Path, tmp_path: Path, what: str) -> None:
    change, check, message = FOLDERS[what]
    change(adapter)
    last = outcomes({path.name: path for path in adapter.iterdir()}, tmp_path, base)[-1]
    assert (last.check, last.passed) == (check, False)
    assert message in last.text
    assert str(tmp_path) not in last.text
    assert len(last.text) <= LONGEST
    assert last.text.isprintable()
    assert not (tmp_path / "taken").exists()


@pytest.mark.slow
@pytest.mark.parametrize("what", ["bomb", "header of 100 MB", "100,000 tensors", None])
def test_the_process_stays_small(base: TinyBase, adapter: Path, tmp_path: Path, what: str | None) -> None:
    if what in ARCHIVES:
        ARCHIVES[what][0](adapter, tmp_path / "a.zip")
    else:
        if what:
            FOLDERS[what][0](adapter)
        packed(adapter, tmp_path / "a.zip")
    told, memory = in_process({ARCHIVE: tmp_path / "a.zip"}, tmp_path, base)
    assert told[-1]["passed"] is (what is None)
    assert memory < 200 << 20


@given(st.binary(max_size=400))
def test_no_bytes_are_believed(
    base: TinyBase, tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "any").write_bytes(content)
    for sources in ({ARCHIVE: folder / "any"}, {WEIGHTS: folder / "any", CONFIG: folder / "any"}):
        assert not outcomes(sources, folder, base)[-1].passed
        assert not (folder / "taken").exists()


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)  # halves of surrogate pairs too
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
CONFIG_FIELDS = ["r", "lora_alpha", "use_rslora", "target_modules", "layers_to_transform", "bias", "revision"]
CARD_FIELDS = ["name", "labels", "data", "training", "metrics", "thresholds", "description", "max_tokens"]


def storable(value: object) -> bool:
    """Whether PostgreSQL takes it as JSON and as text."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return "\\u0000" not in text.replace("\\\\", "") and text == text.encode(errors="replace").decode()


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(CONFIG_FIELDS) | ANY_TEXT, ANY_JSON, max_size=2),
    st.dictionaries(st.sampled_from(CARD_FIELDS) | ANY_TEXT, ANY_JSON, max_size=2),
)
def test_whatever_the_files_say_can_be_stored(
    base: TinyBase,
    good: Path,
    tmp_path_factory: pytest.TempPathFactory,
    config: dict[str, object],
    card: dict[str, object],
) -> None:
    """A refusal is short and can be shown; what passes is scaled as it says and fits into a row of the registry."""
    root = tmp_path_factory.mktemp("any")
    sources = {path.name: Path(shutil.copy(path, root / path.name)) for path in good.iterdir()}
    for name, changes in ((CONFIG, config), ("card.json", card)):
        sources[name].write_text(json.dumps({**json.loads(sources[name].read_text()), **changes}))
    last = outcomes(sources, root, base)[-1]
    assert len(last.text) <= LONGEST
    assert last.text.isprintable()
    if last.passed:
        assert storable(json.loads((root / "taken" / "card.json").read_text()))
        assert isinstance(json.loads((root / "taken" / CONFIG).read_text()).get("use_rslora", False), bool)
    shutil.rmtree(root)


@given(ANY_TEXT)
def test_any_text_can_be_told(text: str) -> None:
    assert len(bounded(text, 10)) <= 10
    assert storable(bounded(text))
    assert bounded(bounded(text)) == bounded(text)
