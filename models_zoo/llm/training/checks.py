"""What a spec may say."""

from __future__ import annotations

import math

from models_zoo.llm.adapter_files import MAX_RANK, MAX_SCALE, longest_window
from models_zoo.llm.card import ModelError, read_card
from models_zoo.llm.training.sampling import MOST_PROMPTS
from models_zoo.llm.training.spec import ALL_TARGETS, TrainSpec

POSITIVE = (
    "beta", "rank", "alpha", "epochs", "head_epochs", "batch_size", "accumulation", "learning_rate",
    "head_learning_rate", "max_tokens", "clip", "checkpoint_s",
)  # fmt: skip
POSITIVE_IF_GIVEN = ("max_steps", "last_layers", "evaluate_every", "patience")
SHARES = ("dropout", "label_smoothing", "replay_share")  # of which nothing would be left at 1


def check_spec(spec: TrainSpec) -> None:
    """Raises `ModelError` naming the field."""
    _check_numbers(spec)
    _check_method(spec)
    _check_lora(spec)
    _check_texts(spec)
    _check_data(spec)


def _check_numbers(spec: TrainSpec) -> None:
    given = [name for name in POSITIVE_IF_GIVEN if getattr(spec, name) is not None]
    for name in (*POSITIVE, *given):
        _require(name, getattr(spec, name), getattr(spec, name) > 0, "more than 0")
    for name in SHARES:
        _require(name, getattr(spec, name), 0 <= getattr(spec, name) < 1, "0 or more, and less than 1")
    _require("warmup", spec.warmup, 0 <= spec.warmup <= 1, "0 .. 1")


def _check_method(spec: TrainSpec) -> None:
    if spec.task == "chat" and spec.method == "two_stage":
        raise ModelError("spec: method is 'two_stage', which is for tasks with a head, not for chat")
    if spec.method == "dpo":
        if spec.task != "chat":
            raise ModelError(f"spec: method is 'dpo', which is for chat, not for {spec.task}")
        if spec.packing or not spec.answers_only:
            raise ModelError(
                "spec: packing and answers_only are not for method 'dpo', which compares whole answers"
            )
        _require("label_smoothing", spec.label_smoothing, spec.label_smoothing < 0.5, "less than 0.5 for dpo")


def _check_lora(spec: TrainSpec) -> None:
    _require("rank", spec.rank, spec.rank <= MAX_RANK, f"at most {MAX_RANK}")
    root, of = (math.sqrt(spec.rank), "its root") if spec.rs_lora else (spec.rank, "the rank")
    _require("alpha", spec.alpha, spec.alpha <= MAX_SCALE * root, f"at most {MAX_SCALE:g} times {of}")
    known = bool(spec.targets) and not set(spec.targets) - set(ALL_TARGETS)
    _require("targets", list(spec.targets), known, f"some of {', '.join(ALL_TARGETS)}")


def _check_texts(spec: TrainSpec) -> None:
    longest = longest_window(spec.task, read_card(spec.base))
    _require("max_tokens", spec.max_tokens, spec.max_tokens <= longest, f"at most {longest}")
    overlap = 0 <= spec.overlap_tokens < spec.max_tokens
    _require("overlap_tokens", spec.overlap_tokens, overlap, f"0 .. {spec.max_tokens - 1}")
    if spec.task == "chat" and (spec.labels or spec.bidirectional):
        raise ModelError("spec: labels and bidirectional are for the head tasks, not for chat")
    for name, given in (
        ("answers_only", not spec.answers_only),
        ("sample_prompts", bool(spec.sample_prompts)),
    ):
        if spec.task != "chat" and given:
            raise ModelError(f"spec: {name} is for chat, not for {spec.task}")
    _require("sample_prompts", f"{len(spec.sample_prompts)} texts", len(spec.sample_prompts) <= MOST_PROMPTS,
             f"at most {MOST_PROMPTS}")  # fmt: skip
    if spec.task == "classification" and spec.packing:
        raise ModelError("spec: packing is for chat and tagging: a class is one whole row's")


def _check_data(spec: TrainSpec) -> None:
    shares = len(spec.mix_schedule) == 2 and all(0 <= share <= 1 for share in spec.mix_schedule)
    _require("mix_schedule", list(spec.mix_schedule), shares, "two shares from 0 to 1")
    if spec.patience is not None and spec.evaluation is None:
        raise ModelError("spec: patience needs an evaluation data set, which says what is better")


def _require(name: str, value: object, condition: bool, expected: str) -> None:
    if not condition:
        raise ModelError(f"spec: {name} is {value}, expected {expected}")
