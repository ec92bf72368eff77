"""Trainings that yield a base: everything learned in floats, quantized again, measured beside what it was made from."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from models_zoo.llm.adapter import load_adapter
from models_zoo.llm.card import AdapterError, ModelError, read_card
from models_zoo.llm.convert import open_source
from models_zoo.llm.damage import Served
from models_zoo.llm.decoder import load_decoder
from models_zoo.llm.shapes import expected_shapes
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.llm.training.bases import BaseSpec, train_base
from models_zoo.llm.training.bases.memory import parameters_of
from tests.models_zoo.llm.test_training import CHAT, write
from tests.models_zoo.llm.tiny import TinyBase, make_adapter

pytestmark = pytest.mark.slow  # every test trains


def spec(base: TinyBase, folder: Path, **changes: Any) -> BaseSpec:
    data = write(folder / "chat.jsonl", CHAT)
    start = BaseSpec(
        base=base.folder,
        target=folder / "made" / "mine",
        unquantized=folder / "made" / "floats",
        name="mine",
        task="chat",
        train=data,
        evaluation=data,
        max_tokens=96,
        epochs=4,
        batch_size=4,
        learning_rate=2e-3,
        checkpoint_s=1e-9,
    )
    return replace(start, **changes)


def killed_after(steps: int, wanted: BaseSpec) -> None:
    events = train_base(wanted)
    while next(events).step < steps:
        pass
    next(events)
    next(events)  # the state is written between two steps
    events.close()  # type: ignore[attr-defined]


def test_it_works(base: TinyBase, tmp_path: Path) -> None:
    prompts = ("word 1 .", "word 2 .")
    events = list(train_base(spec(base, tmp_path, compute="bfloat16", sample_prompts=prompts)))
    said = [event for event in events if event.kind == "sample"]
    assert [event.prompt for event in said] == [1, 2] * 4
    steps = [event for event in events if event.kind == "step"]
    assert [event.step for event in steps] == list(range(1, steps[0].steps + 1))
    done, card = events[-1], read_card(tmp_path / "made" / "mine")
    assert (done.kind, done.folder, done.digest) == ("done", tmp_path / "made" / "mine", card.fingerprint)
    assert card.fingerprint != base.card.fingerprint
    assert (card.name, card.config, card.quantization) == ("mine", base.card.config, "int8")
    told = done.metrics
    assert told["trained_loss"] < 0.5 * told["original_loss"]
    assert told["requantized_loss"] < 0.7 * told["original_loss"]
    assert told["lost_by_quantization"] == pytest.approx(told["requantized_loss"] - told["trained_loss"])
    assert open_source(tmp_path / "made" / "floats").digest() == card.source_sha256
    with pytest.raises(AdapterError, match="base_fingerprint"):
        load_adapter(make_adapter(tmp_path / "of-the-old", base), card)


def test_a_student_learns_in_three_stages(base: TinyBase, tmp_path: Path) -> None:
    wanted = spec(base, tmp_path, recipe="distil", student_layers=2, feature_epochs=2.0, attention_epochs=2.0)
    events = list(train_base(wanted))
    assert [event.text for event in events if event.kind == "log"] == [
        f"Stage {number} of 3 begins: {name}."
        for number, name in enumerate(("features", "attention", "logits"), start=1)
    ]
    assert read_card(wanted.target).config == replace(base.card.config, layers=2)
    found = [event.metrics for event in events if event.kind == "evaluation"]
    for name in ("features_loss", "attention_loss"):
        losses = [metrics[name] for metrics in found if name in metrics]
        assert len(losses) == 2
        assert losses[1] < losses[0]
    assert events[-1].metrics["trained_loss"] < events[-1].metrics["original_loss"]
    assert events[-1].steps == len([event for event in events if event.kind == "step"]) == 24


@pytest.mark.parametrize(("recipe", "step"), [("full", 5), ("distil", 10)])
def test_a_run_that_was_killed_ends_as_it_would_have(
    base: TinyBase, tmp_path: Path, recipe: Any, step: int
) -> None:
    wanted = spec(base, tmp_path, recipe=recipe, checkpoint=tmp_path / "state", evaluate_every=2)
    expected = list(train_base(replace(wanted, checkpoint=None)))
    weights = (wanted.target / "base.safetensors").read_bytes()
    again = replace(wanted, target=tmp_path / "again" / "mine", unquantized=tmp_path / "again" / "floats")
    killed_after(step, again)
    assert not again.target.exists()
    events = list(train_base(again))
    assert events[0].kind == "resumed"
    assert events[0].step >= step
    assert (again.target / "base.safetensors").read_bytes() == weights
    assert events[-1].metrics == expected[-1].metrics


def test_layers_computed_again_change_nothing(base: TinyBase, tmp_path: Path) -> None:
    losses = {}
    for again in (False, True):
        wanted = spec(base, tmp_path, recipe="distil", recompute=again, max_steps=3)
        wanted = replace(
            wanted, target=tmp_path / str(again) / "mine", unquantized=tmp_path / str(again) / "f"
        )
        losses[again] = [event.loss for event in train_base(wanted) if event.kind == "step"]
    assert losses[True] == pytest.approx(losses[False], rel=1e-5)


def test_it_begins_from_what_the_base_was_made_from(base: TinyBase, tmp_path: Path) -> None:
    first = spec(base, tmp_path, max_steps=1)
    list(train_base(first))
    second = replace(
        first, base=first.target, source=first.unquantized, learning_rate=1e-12,
        target=tmp_path / "next" / "mine", unquantized=tmp_path / "next" / "floats",
    )  # fmt: skip
    list(train_base(second))
    named = dict(open_source(second.unquantized).tensors())
    for name, tensor in open_source(first.unquantized).tensors():
        assert torch.equal(tensor, named[name]), name
    other = replace(first, source=first.unquantized, target=tmp_path / "a", unquantized=tmp_path / "b")
    with pytest.raises(ModelError, match="not what tiny was quantized from"):
        next(train_base(other))


def test_what_it_says_is_what_the_new_base_says(base: TinyBase, tmp_path: Path) -> None:
    """Greedily, and until the end token."""
    wanted = spec(base, tmp_path, form="int8", sample_prompts=("word 1 .",), learning_rate=8e-3)
    said = [event.text for event in train_base(wanted) if event.kind == "sample"]
    tokenizer, model = ChatTokenizer(wanted.target), Served(load_decoder(wanted.target))
    ids = tokenizer.chat([{"role": "user", "content": "word 1 ."}])
    first = int(model.logits(ids)[-1].argmax())
    assert said[-1] is not None
    assert said[-1][:1] == tokenizer.decode([first])[:1]


@pytest.mark.parametrize("form", ["int4", "mixed"])
def test_small_changes_survive_four_bits(base: TinyBase, tmp_path: Path, form: Any) -> None:
    """No weight moves by half a step of the old grid: the nearest point would be the old one, and nothing learned."""
    wanted = spec(base, tmp_path, form=form, learning_rate=2e-4)
    told = list(train_base(wanted))[-1].metrics
    assert told["trained_loss"] < 0.3 * told["original_loss"]
    assert abs(told["lost_by_quantization"]) < 0.1 * told["original_loss"]


def test_numbers_are_counted_as_they_are_stored(base: TinyBase) -> None:
    config = base.card.config
    for tied in (True, False):
        shapes = expected_shapes(config, own_head=not tied).values()
        assert parameters_of(config, tied) == sum(math.prod(shape) for shape in shapes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"memory": 1_000_000},
            r"full fine-tuning of tiny needs .* MB of memory on cpu, 1\.0 MB are free: 0\.\d million",
        ),
        ({"memory": 1_000_000, "recipe": "distil"}, "distillation of tiny needs"),
        ({"evaluation": None}, "evaluation is missing"),
        ({"task": "tagging"}, "task is 'tagging'"),
        ({"recipe": "distil", "student_layers": 4}, "student_layers is 4, expected 1 to 3"),
        ({"recipe": "distil", "hard_share": 1.5}, "hard_share is 1.5"),
        ({"recipe": "distil", "temperature": 0.0}, "temperature is 0.0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
    ],
)
def test_what_is_refused(base: TinyBase, tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ModelError, match=told):
        next(train_base(spec(base, tmp_path, **changes)))
    assert not (tmp_path / "made").exists()
