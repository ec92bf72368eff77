"""What a spec may say."""

from __future__ import annotations

from models_zoo.llm.adapter_files import MAX_RANK, MAX_SCALE, longest_window
from models_zoo.llm.card import ModelError, read_card
from models_zoo.llm.training.spec import ALL_TARGETS, TrainSpec


def check_spec(spec: TrainSpec) -> None:
    """Raises `ModelError` naming the field."""
    positive = (
        "rank",
        "alpha",
        "epochs",
        "batch_size",
        "accumulation",
        "learning_rate",
        "max_tokens",
        "clip",
        "checkpoint_s",
    )
    for name in positive:
        if getattr(spec, name) <= 0:
            raise ModelError(f"spec: {name} is {getattr(spec, name)}, expected more than 0")
    if spec.rank > MAX_RANK:
        raise ModelError(f"spec: rank is {spec.rank}, expected at most {MAX_RANK}")
    if spec.alpha > MAX_SCALE * spec.rank:
        raise ModelError(f"spec: alpha is {spec.alpha}, expected at most {MAX_SCALE:g} times the rank")
    longest = longest_window(spec.task, read_card(spec.base))
    if spec.max_tokens > longest:
        raise ModelError(f"spec: max_tokens is {spec.max_tokens}, expected at most {longest}")
    unknown = sorted(set(spec.targets) - set(ALL_TARGETS))
    if unknown or not spec.targets:
        raise ModelError(f"spec: targets is {list(spec.targets)}, expected some of {', '.join(ALL_TARGETS)}")
    if not 0 <= spec.overlap_tokens < spec.max_tokens:
        raise ModelError(
            f"spec: overlap_tokens is {spec.overlap_tokens}, expected 0 .. {spec.max_tokens - 1}"
        )
    if spec.task == "chat" and (spec.labels or spec.bidirectional):
        raise ModelError("spec: labels and bidirectional are for the head tasks, not for chat")
