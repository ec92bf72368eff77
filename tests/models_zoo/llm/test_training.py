"""Training on the quantized base: right gradients, the three tasks, one folder or none."""

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from models_zoo.llm.adapter import load_adapter
from models_zoo.llm.card import ModelError, adapter_digest, read_adapter_card
from models_zoo.llm.decoder import load_decoder
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.llm.training import TrainSpec, read_spec, train_lora
from models_zoo.llm.training.data import batches, encode_examples
from models_zoo.llm.training.functions import AnswerLoss
from models_zoo.llm.training.inputs import start_card
from models_zoo.llm.training.metrics import choose_thresholds, entity_scores
from models_zoo.llm.training.student import Student
from models_zoo.llm.training.tasks import build_task
from tests.models_zoo.llm.tiny import TinyBase, in_transformers

CHAT = [
    {
        "messages": [
            {"role": "user", "content": f"code {n}?"},
            {"role": "assistant", "content": "zebra"},
            {"role": "user", "content": "again"},
            {"role": "assistant", "content": "zebra"},
        ]
    }
    for n in range(12)
]
CLASSES = [{"text": f"{word} {n}", "labels": [word]} for n in range(10) for word in ("good", "bad")]
TAGS = [{"text": f"seen by Ann on day {n}", "spans": [[8, 11, "NAME"]]} for n in range(12)]
ROWS = {"chat": CHAT, "classification": CLASSES, "tagging": TAGS}


def write(path: Path, rows: Iterable[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def spec(base: TinyBase, folder: Path, task: str, **changes: Any) -> TrainSpec:
    data = write(folder / f"{task}.jsonl", ROWS[task])
    start = TrainSpec(
        base=base.folder,
        target=folder / "adapter",
        name="mine",
        task=task,  # type: ignore[arg-type]
        train=data,
        evaluation=data,
        max_tokens=96,
        overlap_tokens=8,
        rank=4,
        alpha=8.0,
        epochs=4,
        batch_size=4,
        learning_rate=5e-3,
        head_learning_rate=5e-3,
    )
    return replace(start, **changes)


@pytest.mark.parametrize("task", ["chat", "classification", "tagging"])
def test_it_works(base: TinyBase, tmp_path: Path, task: str) -> None:
    events = list(train_lora(spec(base, tmp_path, task)))
    steps = [event for event in events if event.kind == "step"]
    assert [event.step for event in steps] == list(range(1, steps[0].steps + 1))
    assert steps[-1].loss < 0.7 * steps[0].loss  # type: ignore[operator]
    assert all(event.tokens_per_second and event.learning_rate for event in steps)
    done = events[-1]
    assert (done.kind, done.folder, done.digest) == (
        "done",
        tmp_path / "adapter",
        adapter_digest(tmp_path / "adapter"),
    )
    assert load_adapter(tmp_path / "adapter", base.card).card.metrics == done.metrics
    card = read_adapter_card(tmp_path / "adapter")
    assert card.data["train"]["examples"] == len(ROWS[task])
    assert card.training["seed"] == 0
    assert str(tmp_path) not in (tmp_path / "adapter" / "card.json").read_text()
    if task != "chat":
        assert done.metrics[{"classification": "accuracy", "tagging": "entity_f1"}[task]] > 0.8


def test_the_same_seed_gives_the_same_adapter(base: TinyBase, tmp_path: Path) -> None:
    weights = []
    for _ in range(2):
        list(train_lora(spec(base, tmp_path, "classification", max_steps=3)))
        weights.append((tmp_path / "adapter" / "adapter_model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_several_labels_get_thresholds(base: TinyBase, tmp_path: Path) -> None:
    rows = [{"text": f"{a} {b}", "labels": [a, b] if a != b else [a]} for a in "xyz" for b in "xyz"]
    data = write(tmp_path / "multi.jsonl", rows)
    wanted = spec(base, tmp_path, "classification", train=data, evaluation=data, test=data, multi_label=True)
    done = list(train_lora(wanted))[-1]
    card = read_adapter_card(tmp_path / "adapter")
    assert sorted(card.thresholds) == ["x", "y", "z"]
    assert done.metrics["test_macro_f1"] == pytest.approx(done.metrics["macro_f1"])


@pytest.mark.slow
def test_dense_bfloat16_trains_too(base: TinyBase, tmp_path: Path) -> None:
    """The form used on CUDA, on the processor."""
    dense = lambda folder, device: load_decoder(folder, device, form="bfloat16")  # noqa: E731
    for task in ("chat", "tagging"):
        events = list(train_lora(spec(base, tmp_path, task, epochs=3), load=dense))
        losses = [event.loss for event in events if event.kind == "step"]
        assert losses[-1] < losses[0]  # type: ignore[operator]


def test_last_layers_and_targets_limit_what_is_trained(base: TinyBase, tmp_path: Path) -> None:
    list(train_lora(spec(base, tmp_path, "chat", last_layers=1, targets=("v_proj", "up_proj"), max_steps=2)))
    adapter = load_adapter(tmp_path / "adapter", base.card)
    assert sorted(adapter.weights.matrices) == [(2, "up_proj"), (2, "v_proj")]


def test_gradients_equal_those_of_the_float32_model(base: TinyBase, tmp_path: Path) -> None:
    """Against PEFT on the dequantized transformers model, with the same random A and B."""
    from peft import LoraConfig, get_peft_model

    wanted = spec(base, tmp_path, "chat", dropout=0.0, rank=4, alpha=8.0)
    tokenizer = ChatTokenizer(base.folder)
    examples = encode_examples(wanted.train, CHAT, wanted, (), tokenizer)[:4]
    decoder = load_decoder(base.folder)
    student = Student(decoder, wanted, start_card(wanted, base.card, ()))
    config = LoraConfig(r=4, lora_alpha=8, target_modules=list(wanted.targets), task_type="CAUSAL_LM")
    oracle = get_peft_model(in_transformers(base), config)
    parameters = dict(oracle.named_parameters())
    torch.manual_seed(3)
    with torch.no_grad():
        for layer, target, a, b in student.lora.matrices():
            block = "self_attn" if target[0] in "qkvo" else "mlp"
            name = f"base_model.model.model.layers.{layer}.{block}.{target}"
            b.copy_(torch.randn_like(b) * 0.05)
            parameters[f"{name}.lora_A.default.weight"].copy_(a)
            parameters[f"{name}.lora_B.default.weight"].copy_(b)
    task = build_task(student, wanted)
    loss = task.loss(examples)
    loss.backward()
    expected = _oracle_loss(oracle, examples)
    expected.backward()
    assert float(loss) == pytest.approx(float(expected), rel=1e-4)
    for key, parameter in student.lora.b.items():
        layer, target = key.split("_", 1)
        block = "self_attn" if target[0] in "qkvo" else "mlp"
        name = f"base_model.model.model.layers.{layer}.{block}.{target}.lora_B.default.weight"
        difference = parameter.grad - parameters[name].grad
        assert float(difference.norm() / parameters[name].grad.norm()) < 1e-3


def _oracle_loss(oracle: torch.nn.Module, examples: list[Any]) -> torch.Tensor:
    longest = max(len(example.ids) for example in examples)
    ids = torch.tensor([e.ids + [2] * (longest - len(e.ids)) for e in examples])
    targets = torch.tensor([e.targets + [-100] * (longest - len(e.targets)) for e in examples])
    logits = oracle(input_ids=ids).logits
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_chunked_loss_equals_cross_entropy(base: TinyBase, smoothing: float) -> None:
    head = load_decoder(base.folder).head
    hidden = torch.randn(600, 128, requires_grad=True)
    targets = torch.randint(0, 320, (600,))
    loss = AnswerLoss.apply(hidden, targets, head, smoothing)
    loss.backward()
    again = hidden.detach().requires_grad_()
    expected = torch.nn.functional.cross_entropy(again @ head.dense().t(), targets, label_smoothing=smoothing)
    expected.backward()
    assert float(loss) == pytest.approx(float(expected), rel=1e-4)
    assert hidden.grad is not None
    assert again.grad is not None
    assert torch.allclose(hidden.grad, again.grad, atol=1e-6)


def test_chat_learns_the_answers_alone(base: TinyBase, tmp_path: Path) -> None:
    wanted = spec(base, tmp_path, "chat")
    tokenizer = ChatTokenizer(base.folder)
    (example,) = encode_examples(wanted.train, CHAT[:1], wanted, (), tokenizer)
    learned = [target for target in example.targets if target >= 0]
    assert tokenizer.decode(learned) == "zebra\nzebra\n"
    assert learned.count(base.card.end_token) == 2


def test_closing_early_leaves_nothing(base: TinyBase, tmp_path: Path) -> None:
    events = train_lora(spec(base, tmp_path, "chat"))
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert [path.name for path in tmp_path.iterdir()] == ["chat.jsonl"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", r"bad\.jsonl:1: not valid JSON"),
        ("[]", r"bad\.jsonl:1: expected an object"),
        ('{"labels": ["good"]}', "example 1: field 'text' is missing"),
        ('{"text": "x", "labels": ["unheard"]}', "label 'unheard' is not among good"),
        ('{"text": "x", "labels": []}', "labels has 0 entries, expected one"),
    ],
)
def test_bad_data_names_line_and_field(base: TinyBase, tmp_path: Path, line: str, message: str) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text(line + "\n")
    wanted = spec(base, tmp_path, "classification", train=bad, labels=("good",))
    with pytest.raises(ModelError, match=message):
        next(train_lora(wanted))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank": 0}, "rank is 0"),
        ({"rank": 65}, "rank is 65"),
        ({"targets": ("lm_head",)}, "targets"),
        ({"overlap_tokens": 96}, "overlap_tokens"),
        ({"max_tokens": 513}, "max_tokens is 513, expected at most 512"),
        ({"alpha": 1e9}, "alpha is 1000000000.0, expected at most 10000 times the rank"),
        ({"bidirectional": True}, "bidirectional"),
        ({"train": Path("absent.jsonl")}, "absent"),
    ],
)
def test_a_bad_spec_names_the_field(
    base: TinyBase, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        next(train_lora(spec(base, tmp_path, "chat", **changes)))


def test_a_spec_is_read_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text('base = "b"\ntarget = "t"\nname = "n"\ntask = "chat"\ntrain = "x.jsonl"\nepochs = 2\n')
    read = read_spec(path)
    assert (read.base, read.epochs, read.evaluation) == (tmp_path / "b", 2.0, None)
    path.write_text(path.read_text() + 'rank = "high"\n')
    with pytest.raises(ModelError, match="rank is 'high', expected int"):
        read_spec(path)


def test_batches_cover_everything_once(base: TinyBase, tmp_path: Path) -> None:
    import random

    wanted = spec(base, tmp_path, "classification")
    examples = encode_examples(wanted.train, CLASSES, wanted, ("bad", "good"), ChatTokenizer(base.folder))
    seen = [index for batch in batches(examples, 3, random.Random(0)) for index in batch]
    assert sorted(seen) == list(range(len(examples)))
    assert seen != list(range(len(examples)))


def test_metrics() -> None:
    assert entity_scores({1: [0, 1, 2, 0]}, {1: [0, 1, 2, 0]})["entity_f1"] == 1.0
    assert entity_scores({1: [0, 1, 2, 0]}, {1: [0, 1, 0, 0]})["entity_f1"] == 0.0
    assert math.isclose(entity_scores({1: [1, 0, 3]}, {1: [1, 0, 0]})["recall"], 0.5)
    probability = torch.tensor([[0.3], [0.1], [0.35], [0.05]])
    (threshold,) = choose_thresholds(probability, torch.tensor([[1.0], [0.0], [1.0], [0.0]])).tolist()
    assert 0.1 <= threshold < 0.3
