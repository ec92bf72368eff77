"""An adapter's task against the truth: right answers score one, wrong ones nothing, and the report has a table."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from models_zoo.llm.__main__ import main
from models_zoo.llm.adapter import LoadedAdapter, load_adapter
from models_zoo.llm.card import ModelError
from models_zoo.llm.convert import convert
from models_zoo.llm.damage import Float32, base_weights, head_probabilities
from models_zoo.llm.damage_tasks import task_examples, task_figures
from models_zoo.llm.spans import spans_of
from models_zoo.llm.tokenizer import ChatTokenizer
from tests.models_zoo.llm.sources import hf_folder, llama
from tests.models_zoo.llm.tiny import TinyBase, in_transformers, make_adapter

TEXTS = ("a bad cafe", "the deed of a face", "fade", "bead and cabbage beside it")
LABELS = ("A", "B", "C")
CHAT = [
    {"messages": [{"role": "user", "content": "a bad cafe"}, {"role": "assistant", "content": "ace " * 80}]},
    {"messages": [{"role": "user", "content": "who"}, {"role": "assistant", "content": "a deed"}]},
]


def write(path: Path, rows: Iterable[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def tokenizer(base: TinyBase) -> ChatTokenizer:
    return ChatTokenizer(base.folder)


def head(base: TinyBase, folder: Path, task: str) -> tuple[LoadedAdapter, Float32]:
    made = make_adapter(folder / "head", base, task=task, labels=LABELS, bidirectional=True)
    adapter = load_adapter(made, base.card)
    return adapter, Float32(base.card.config, base_weights(base.folder), adapter.weights)


@pytest.mark.parametrize("multi_label", [False, True])
def test_classification(base: TinyBase, tokenizer: ChatTokenizer, tmp_path: Path, multi_label: bool) -> None:
    adapter, model = head(base, tmp_path, "classification")
    adapter = replace(adapter, card=replace(adapter.card, multi_label=multi_label))
    answers = torch.stack([head_probabilities(model, adapter, tokenizer.encode(text)) for text in TEXTS])
    limits = (answers.amin(dim=0) + answers.amax(dim=0)) / 2  # each label holds of some texts, not of others
    best = torch.nn.functional.one_hot(answers.argmax(dim=1), len(LABELS)).bool()
    if multi_label:
        limit = dict(zip(LABELS, limits.tolist(), strict=True))
        adapter = replace(adapter, card=replace(adapter.card, thresholds=limit))
        best = answers > limits
    right, wrong = [], []
    for text, holds in zip(TEXTS, best.tolist(), strict=True):
        others = [label for label, held in zip(LABELS, holds, strict=True) if not held]
        right.append({"text": text, "labels": [label for label in LABELS if label not in others]})
        wrong.append({"text": text, "labels": others if multi_label else others[:1]})
    for rows, expected in ((right, 1.0), (wrong, 0.0)):
        figures = task_figures(model, adapter, task_examples(tmp_path, rows, adapter, tokenizer))
        assert list(figures) == ["micro F1" if multi_label else "accuracy", "mean F1 of labels that occur"]
        assert list(figures.values()) == [expected, expected]


def test_tagging_in_windows(base: TinyBase, tokenizer: ChatTokenizer, tmp_path: Path) -> None:
    adapter, model = head(base, tmp_path, "tagging")
    text = " ".join(TEXTS)  # longer than the adapter's 48 tokens
    examples = task_examples(tmp_path, [{"text": text, "spans": [[0, 1, "A"]]}], adapter, tokenizer)
    assert len(examples) > 1
    tags = [
        tag
        for example in examples
        for tag in head_probabilities(model, adapter, example.ids)[example.positions].argmax(dim=-1).tolist()
    ]
    units = tokenizer.encode_units(text)[1]
    spans = [[s.start, s.end, s.label] for s in spans_of(units, tags, [1.0] * len(tags), LABELS)]
    assert spans
    right = task_examples(tmp_path, [{"text": text, "spans": spans}], adapter, tokenizer)
    assert set(task_figures(model, adapter, right).values()) == {1.0}
    one_less = task_examples(tmp_path, [{"text": text, "spans": spans[1:]}], adapter, tokenizer)
    figures = task_figures(model, adapter, one_less)
    assert figures["recall"] == 1
    assert figures["precision"] == pytest.approx(1 - 1 / len(spans))


def test_chat_is_transformers_own_loss(base: TinyBase, tokenizer: ChatTokenizer, tmp_path: Path) -> None:
    adapter = load_adapter(make_adapter(tmp_path / "chat", base), base.card)
    examples = task_examples(tmp_path, CHAT[1:], adapter, tokenizer)
    model = Float32(base.card.config, base_weights(base.folder))
    figures = task_figures(model, adapter, examples)
    logits = in_transformers(base)(torch.tensor([examples[0].ids])).logits[0]
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(examples[0].targets), ignore_index=-100)
    assert figures["perplexity of the answers"] == pytest.approx(float(loss.exp()), rel=1e-3)
    assert 0 <= figures["answers' tokens that are the likeliest"] <= 1


def test_rows_that_do_not_fit_are_named(base: TinyBase, tokenizer: ChatTokenizer, tmp_path: Path) -> None:
    adapter, _ = head(base, tmp_path, "classification")
    for row, reason in (({"text": "a", "labels": ["Z"]}, "label 'Z'"), ({"text": "a"}, "field 'labels'")):
        with pytest.raises(ModelError, match=rf"rows\.jsonl: example 1: {reason}"):
            task_examples(Path("rows.jsonl"), [row], adapter, tokenizer)


@pytest.mark.parametrize(("task", "field"), [("classification", "labels"), ("tagging", "spans")])
def test_rows_without_a_label_measure_nothing(
    base: TinyBase, tokenizer: ChatTokenizer, tmp_path: Path, task: str, field: str
) -> None:
    adapter, _ = head(base, tmp_path, task)
    adapter = replace(adapter, card=replace(adapter.card, multi_label=True))
    rows = [{"text": "a bad cafe", "labels": [], "spans": []}] * 2
    with pytest.raises(ModelError, match=rf"rows\.jsonl: {field} is empty in all 2 examples"):
        task_examples(Path("rows.jsonl"), rows, adapter, tokenizer)


@pytest.fixture
def command(base: TinyBase, tmp_path: Path) -> list[str]:
    (tmp_path / "text.txt").write_text("the cabin and the deed of a bad face " * 8)
    return ["damage", "--base", str(base.folder), "--text", str(tmp_path / "text.txt"), "--tokens", "64"]


def test_the_command(
    base: TinyBase, tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_adapter(tmp_path / "head", base, task="classification", labels=LABELS, bidirectional=True)
    data = write(tmp_path / "rows.jsonl", [{"text": text, "labels": ["A"]} for text in TEXTS])
    other = make_adapter(tmp_path / "chat", base)
    chosen = ["--adapter", str(other), "--adapter", str(made), "--task-data", str(data)]
    assert main([*command, *chosen, "--examples", "3"]) == 0
    shown = capsys.readouterr().out
    assert "Task of head, the first 3 of 4 examples of rows.jsonl:" in shown
    assert "| model | accuracy | mean F1 of labels that occur |\n|---|---|---|" in shown
    rows = [row.split(" | ")[0] for row in shown.partition("labels that occur |\n")[2].splitlines()]
    assert rows == [
        "|---|---|---|",
        "| quantized, float32, with head",
        "| quantized, as served, with head",
        "| quantized, as served, its head alone, without LoRA",
    ]


def test_the_command_with_the_original(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = hf_folder(tmp_path / "hf", llama())
    base = TinyBase(tmp_path / "base", convert(source, tmp_path / "base", "int4"))
    chat = make_adapter(tmp_path / "chat", base)
    (tmp_path / "text.txt").write_text("the cabin and the deed of a bad face " * 8)
    command = ["damage", "--base", str(base.folder), "--text", str(tmp_path / "text.txt"), "--tokens", "64"]
    data = write(tmp_path / "rows.jsonl", CHAT)
    chosen = ["--reference", str(source), "--adapter", str(chat), "--task-data", str(data)]
    assert main([*command, *chosen]) == 0
    table = capsys.readouterr().out.partition("Task of chat")[2].splitlines()[2:]
    assert [row.split(" | ")[0] for row in table[2:]] == [
        "| original, float32, with chat",
        "| quantized, float32, with chat",
        "| quantized, as served, with chat",
        "| quantized, as served, without it",
    ]
    original, quantized, served, without = (float(row.split(" | ")[1]) for row in table[2:])
    assert abs(served / quantized - 1) < 0.02 < abs(without / quantized - 1)
    assert original != quantized


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["--adapter", "{head}", "--task-data", "absent.jsonl"], "absent.jsonl: file is missing"),
        (["--adapter", "{head}", "--task-data", "{rows}", "--examples", "0"], "examples is 0, expected 1"),
        (["--task-data", "{rows}", "--adapter", "{head}"], "after the --adapter that it is for"),
        (["--adapter", "{head}", "--task-data", "{rows}", "--task-data", "{rows}"], "expected once"),
    ],
)
def test_what_cannot_be_measured_is_said(
    base: TinyBase,
    tmp_path: Path,
    command: list[str],
    capsys: pytest.CaptureFixture[str],
    given: list[str],
    reason: str,
) -> None:
    made = make_adapter(tmp_path / "head", base, task="classification", labels=LABELS)
    data = write(tmp_path / "rows.jsonl", [{"text": "a", "labels": ["A"]}])
    try:
        code = main([*command, *(part.format(head=made, rows=data) for part in given)])
    except SystemExit as left:  # argparse's own
        code = left.code  # type: ignore[assignment]
    assert code == 2
    assert reason in capsys.readouterr().err
