"""Going on from an adapter that was trained before: the same shape, or an error that names what differs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

from models_zoo.llm.adapter import load_adapter
from models_zoo.llm.adapter_files import TARGETS, AdapterPlan, adapter_plan, module_name
from models_zoo.llm.card import ADAPTER_FILE, HEAD_FILE, AdapterCard, BaseCard, ModelError, adapter_reference
from models_zoo.llm.heads import Head
from models_zoo.llm.training.graft import LoraParameters, layers_of, scale_of
from models_zoo.llm.training.spec import TrainSpec


@dataclass(slots=True, frozen=True)
class Parent:
    """An adapter to go on from, verified."""

    folder: Path
    plan: AdapterPlan

    @property
    def reference(self) -> str:
        """`name@digest` of its content."""
        return adapter_reference(self.plan.card.name, self.folder)


def parent_of(spec: TrainSpec, base: BaseCard) -> Parent | None:
    """What `spec.start_from` names. Raises `ModelError` when it is damaged, of another base, or of another shape than
    the spec's, naming the field."""
    if spec.start_from is None:
        return None
    try:
        load_adapter(spec.start_from, base)
        plan = adapter_plan(spec.start_from, base)
    except ModelError as error:
        raise ModelError(f"start_from: {error}") from error
    _compare("task", plan.card.task, spec.task)
    _compare("rank", plan.config.rank, spec.rank)
    if not math.isclose(plan.config.scale, scale_of(spec), rel_tol=1e-6):
        rule = "alpha / sqrt(rank)" if spec.rs_lora else "alpha / rank"
        raise ModelError(
            f"start_from: its scale is {plan.config.scale:g}, expected {scale_of(spec):g}, the settings' {rule}"
        )
    _compare(
        "targets", ", ".join(plan.config.targets), ", ".join(sorted(set(spec.targets), key=TARGETS.index))
    )
    _compare("layers", list(plan.config.layers), list(layers_of(base.config, spec)))
    return Parent(spec.start_from, plan)


def check_card(parent: Parent, card: AdapterCard) -> None:
    """Raise `ModelError` where the new adapter's card would mean something else than its parent's."""
    for name in ("labels", "multi_label", "bidirectional"):
        _compare(name, getattr(parent.plan.card, name), getattr(card, name))


def take_over(parent: Parent, lora: LoraParameters, head: Head | None) -> None:
    """The parent's values, as they are stored."""
    stored = load_file(parent.folder / ADAPTER_FILE)
    with torch.no_grad():
        for layer, target, a, b in lora.matrices():
            name = parent.plan.prefix + module_name(layer, target)
            a.copy_(stored[f"{name}.lora_A.weight"])
            b.copy_(stored[f"{name}.lora_B.weight"])
    if head is not None:
        head.load_state_dict(load_file(parent.folder / HEAD_FILE))


def _compare(name: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise ModelError(f"start_from: its {name} is {found}, expected {wanted}, the settings'")
