"""What a spec may choose: stages, schedules, blends of data, packing, going on from a version, ending early."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from models_zoo.llm.adapter import load_adapter
from models_zoo.llm.card import ModelError, adapter_digest, adapter_reference, read_adapter_card
from models_zoo.llm.decoder import Decoder
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.llm.training import TrainSpec, train_lora
from models_zoo.llm.training.data import encode_examples
from models_zoo.llm.training.inputs import DataSets, read_data, start_card
from models_zoo.llm.training.order import mix_share, steps_in_epoch, steps_of
from models_zoo.llm.training.rows import pack
from models_zoo.llm.training.schedules import LOWEST_RATE, rate_at
from models_zoo.llm.training.student import Student
from models_zoo.llm.training.tasks import build_task
from models_zoo.llm.training.trainer import Trainer
from tests.models_zoo.llm.test_training import CHAT, CLASSES, TAGS, spec, write
from tests.models_zoo.llm.test_training_preference import PAIRS
from tests.models_zoo.llm.tiny import TinyBase, in_transformers


def turns(question: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


UNEQUAL = [turns("a" * (1 + 7 * n % 20), "b" * (1 + 5 * n % 11)) for n in range(9)]


@pytest.fixture
def parent(base: TinyBase, tmp_path: Path) -> Path:
    wanted = spec(base, tmp_path, "classification", max_steps=3, target=tmp_path / "parent")
    list(train_lora(wanted))
    return tmp_path / "parent"


def test_rank_stabilized_lora_is_read_by_peft_as_by_us(base: TinyBase, tmp_path: Path) -> None:
    from peft import PeftModel

    list(train_lora(spec(base, tmp_path, "chat", max_steps=2, rs_lora=True, precision="float32")))
    adapter = load_adapter(tmp_path / "adapter", base.card)
    peft = PeftModel.from_pretrained(in_transformers(base), tmp_path / "adapter")
    module = peft.get_submodule("base_model.model.model.layers.1.mlp.up_proj")
    assert module.scaling["default"] == 8.0 / 4**0.5
    a, b = adapter.weights.matrices[1, "up_proj"]
    assert torch.allclose(b @ a, module.get_delta_weight("default"), atol=1e-7)


@pytest.mark.parametrize(
    ("schedule", "half"),
    [("cosine", 0.5), ("linear", 0.5), ("constant", 1.0), ("exponential", LOWEST_RATE**0.5)],
)
def test_schedules(base: TinyBase, tmp_path: Path, schedule: Any, half: float) -> None:
    wanted = spec(base, tmp_path, "chat", schedule=schedule, warmup=0.1)
    assert [rate_at(wanted, step, 100) for step in (0, 4)] == pytest.approx([0.1, 0.5], rel=0.2)
    assert rate_at(wanted, 50, 100) == pytest.approx(half)
    assert rate_at(wanted, 100, 100) == pytest.approx(1.0 if schedule == "constant" else LOWEST_RATE)


def test_the_head_learns_first(base: TinyBase, decoder: Decoder, tmp_path: Path) -> None:
    wanted = spec(
        base, tmp_path, "classification", method="two_stage", head_epochs=2.0, epochs=1.0, evaluation=None
    )
    labels, data = read_data(wanted, ChatTokenizer(base.folder))
    student = Student(decoder, wanted, start_card(wanted, base.card, labels))
    assert student.head is not None
    before = student.head.output.weight.detach().clone()
    rates = []
    for event in Trainer(wanted, student, build_task(student, wanted), data).events():
        rates.append(event.learning_rate)
        assert any(bool(b.any()) for b in student.lora.b.values()) == (event.step > 10)
        assert not torch.equal(student.head.output.weight, before)
    assert len(rates) == 15
    assert rates[9] < rates[10]  # type: ignore[operator]  # each stage has its schedule


def test_a_head_stage_without_a_second_is_refused(base: TinyBase, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="max_steps is 5, expected more than the 5"):
        next(train_lora(spec(base, tmp_path, "classification", method="two_stage", max_steps=5)))


def test_all_turns_can_be_learned(base: TinyBase, tmp_path: Path) -> None:
    wanted, tokenizer = spec(base, tmp_path, "chat", answers_only=False), ChatTokenizer(base.folder)
    (example,) = encode_examples(wanted.train, CHAT[:1], wanted, (), tokenizer)
    assert example.targets == [*example.ids[1:], -100]
    (cut,) = encode_examples(wanted.train, CHAT[:1], replace(wanted, max_tokens=9), (), tokenizer)
    assert cut.ids == example.ids[:9]


def loss_of(decoder: Decoder, base: TinyBase, wanted: TrainSpec, examples: Any) -> tuple[float, torch.Tensor]:
    """The loss, and its gradients."""
    torch.manual_seed(1)
    student = Student(decoder, wanted, start_card(wanted, base.card, wanted.labels))
    student.train(False)
    with torch.no_grad():
        for parameter in student.lora.b.values():
            parameter.normal_(std=0.05)
    loss = build_task(student, wanted).loss(examples)
    loss.backward()
    return float(loss.detach()), torch.cat(
        [p.grad.flatten() for p in student.lora.parameters() if p.grad is not None]
    )


@pytest.mark.parametrize(("task", "rows"), [("chat", UNEQUAL), ("tagging", TAGS)])
def test_packed_examples_have_the_loss_of_single_ones(
    base: TinyBase, decoder: Decoder, tmp_path: Path, task: str, rows: list[Any]
) -> None:
    labels = ("NAME",) if task == "tagging" else ()
    wanted = spec(base, tmp_path, task, labels=labels, dropout=0.0)
    examples = encode_examples(wanted.train, rows, wanted, labels, ChatTokenizer(base.folder))
    packed = pack(examples, 96)
    assert sum(row.documents for row in packed) == len(examples) > 2 * len(packed)
    assert all(len(row.ids) <= 96 for row in packed)
    alone, slope = loss_of(decoder, base, wanted, examples)
    together, packed_slope = loss_of(decoder, base, wanted, packed)
    assert together == pytest.approx(alone, rel=1e-5)
    assert float((packed_slope - slope).norm() / slope.norm()) < 1e-3


def test_a_packed_run_learns_all_examples(base: TinyBase, tmp_path: Path) -> None:
    data = write(tmp_path / "unequal.jsonl", UNEQUAL)
    done = list(train_lora(spec(base, tmp_path, "chat", train=data, packing=True, batch_size=1, epochs=1.0)))[
        -1
    ]
    assert read_adapter_card(tmp_path / "adapter").data["train"]["examples"] == len(UNEQUAL)
    assert done.steps < len(UNEQUAL) / 2


def blend(base: TinyBase, tmp_path: Path, **changes: Any) -> tuple[list[list[int]], TrainSpec, DataSets]:
    """Of each step, how many examples come from train, mix and replay."""
    wanted = spec(base, tmp_path, "classification", batch_size=8, **changes)
    tokenizer, labels = ChatTokenizer(base.folder), ("bad", "good")
    sets = [encode_examples(wanted.train, CLASSES[:n], wanted, labels, tokenizer) for n in (20, 12, 4)]
    data = DataSets(sets[0], sets[1] if wanted.mix else [], sets[2] if wanted.replay else [])
    steps = steps_of(wanted, data, 20)
    told = [[one for batch in next(steps) for one in batch] for _ in range(20)]
    counts = [[sum(any(one is own for own in each) for one in step) for each in sets] for step in told]
    return counts, wanted, data


def test_a_second_data_set_comes_in_by_its_schedule(base: TinyBase, tmp_path: Path) -> None:
    counts, wanted, data = blend(base, tmp_path, mix=Path("other"), mix_schedule=(0.0, 1.0))
    assert counts[0] == [8, 0, 0]
    assert counts[-1] == [0, 8, 0]
    assert sum(mix for _, mix, _ in counts) == pytest.approx(80, abs=1)
    assert mix_share(wanted, 19, 20) == 1.0
    assert steps_in_epoch(wanted, data) == 4


def test_replayed_examples_keep_their_share(base: TinyBase, tmp_path: Path) -> None:
    counts, wanted, data = blend(base, tmp_path, replay=Path("old"), replay_share=0.3)
    assert sum(old for _, _, old in counts) == 48
    assert {sum(step) for step in counts} == {8}
    assert steps_in_epoch(wanted, data) == 4  # 20 examples at 5.6 a step


def test_a_run_goes_on_from_a_version(base: TinyBase, tmp_path: Path, parent: Path) -> None:
    wanted = spec(base, tmp_path, "classification", start_from=parent, learning_rate=1e-12, max_steps=1,
                  head_learning_rate=1e-12, weight_decay=0.0)  # fmt: skip
    list(train_lora(wanted))
    for file in ("adapter_model.safetensors", "head.safetensors"):
        before, after = load_file(parent / file), load_file(tmp_path / "adapter" / file)
        assert all(torch.equal(before[name], after[name]) for name in before)
    card = read_adapter_card(tmp_path / "adapter")
    assert card.training["start_from"] == adapter_reference("mine", parent)
    assert card.labels == ("bad", "good")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank": 8}, "start_from: its rank is 4, expected 8"),
        ({"alpha": 4.0}, r"start_from: its scale is 2, expected 1, the settings' alpha / rank"),
        ({"rs_lora": True}, r"start_from: its scale is 2, expected 4, the settings' alpha / sqrt\(rank\)"),
        ({"targets": ("q_proj",)}, "start_from: its targets is q_proj, k_proj.*, expected q_proj"),
        ({"last_layers": 1}, r"start_from: its layers is \[0, 1, 2\], expected \[2\]"),
        ({"labels": ("bad", "good", "worse")}, "start_from: its labels is"),
        ({"bidirectional": False}, "start_from: its bidirectional is True, expected False"),
    ],
)
def test_a_version_of_another_shape_is_refused(
    base: TinyBase, tmp_path: Path, parent: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        next(train_lora(spec(base, tmp_path, "classification", start_from=parent, **changes)))


def test_a_version_of_another_task_is_refused(base: TinyBase, tmp_path: Path, parent: Path) -> None:
    with pytest.raises(ModelError, match="start_from: its task is classification, expected chat"):
        next(train_lora(spec(base, tmp_path, "chat", start_from=parent)))
    with pytest.raises(ModelError, match=r"start_from: .*file is missing"):
        next(train_lora(spec(base, tmp_path, "chat", start_from=tmp_path / "nowhere")))


def test_a_run_that_gets_no_better_ends(base: TinyBase, tmp_path: Path) -> None:
    wanted = spec(
        base, tmp_path, "chat", learning_rate=1e-12, evaluate_every=1, patience=2, precision="float32"
    )
    done = list(train_lora(wanted))[-1]
    assert (done.stopped_early, done.step, done.steps) == (True, 3, 12)


def test_steps_tell_memory_and_time(base: TinyBase, tmp_path: Path) -> None:
    steps = [event for event in train_lora(spec(base, tmp_path, "chat", max_steps=3)) if event.kind == "step"]
    assert all(event.memory_bytes > 50_000_000 for event in steps)  # type: ignore[operator]
    assert steps[0].eta_s > steps[-1].eta_s == 0.0  # type: ignore[operator]


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {"task": "chat"},
    "rs_lora": {"task": "chat", "rs_lora": True, "schedule": "exponential", "label_smoothing": 0.1},
    "two_stage": {"task": "classification", "method": "two_stage", "head_epochs": 0.8},
    "last_layers": {"task": "tagging", "last_layers": 2, "schedule": "linear", "warmup": 0.3},
    "float16": {"task": "chat", "compute": "float16"},
    "packing": {"task": "chat", "packing": True, "accumulation": 2, "batch_size": 1, "answers_only": False},
    "blend": {"task": "classification", "mix": CLASSES[:6], "replay": CLASSES[9:14], "replay_share": 0.3},
    "start_from": {"task": "classification", "start_from": True, "schedule": "constant"},
    "patience": {"task": "chat", "patience": 3, "learning_rate": 5e-2},
    "dpo": {
        "task": "chat",
        "method": "dpo",
        "train": PAIRS,
        "evaluation": PAIRS[:3],
        "sample_prompts": ("hi",),
    },
}


def with_option(base: TinyBase, folder: Path, name: str) -> TrainSpec:
    """A short run with one of the options, whose files are in `folder`."""
    given = dict(OPTIONS[name])
    for data in ("mix", "replay", "train", "evaluation"):
        if data in given:
            given[data] = write(folder / f"{data}.jsonl", given[data])
    if given.pop("start_from", False):
        given["start_from"] = folder / "parent"
        list(train_lora(spec(base, folder, given["task"], max_steps=2, target=folder / "parent")))
    return spec(
        base, folder, given.pop("task"), **{"max_steps": 8, "evaluate_every": 2, "dropout": 0.1, **given},
        checkpoint=folder / "state", checkpoint_s=1e-9,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_a_run_that_was_cut_off_ends_with_the_same_adapter(base: TinyBase, tmp_path: Path, name: str) -> None:
    """At any step: each attempt is given up a step or two after the last, until one gets through."""
    wanted = with_option(base, tmp_path, name)
    whole = list(train_lora(wanted))[-1]
    (tmp_path / "state").unlink()
    allowed, attempts = 2, 0
    while True:
        events, told = train_lora(wanted), []
        for event in events:
            told.append(event)
            if event.kind == "step" and sum(one.kind == "step" for one in told) > allowed:
                events.close()  # type: ignore[attr-defined]
                break
        attempts += 1
        if told[-1].kind == "done":
            break
        allowed = 3 - allowed
    assert attempts > 3
    assert (told[-1].digest, told[-1].metrics, told[-1].step) == (whole.digest, whole.metrics, whole.step)
    assert adapter_digest(tmp_path / "adapter") == whole.digest
