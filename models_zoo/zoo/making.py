"""The steps that make an adapter: its data, its training, its thresholds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from models_zoo.llm.card import ADAPTER_CARD_FILE, read_adapter_card, write_card
from models_zoo.llm.training import TrainEvent, TrainSpec, train_lora
from models_zoo.zoo.cards import commands
from models_zoo.zoo.files import write_lines
from models_zoo.zoo.recipe import read_recipe, training_spec
from models_zoo.zoo.tasks import TRAIN, VALIDATION, Task

FIELDS = {"classification": ("text", "labels"), "tagging": ("text", "spans"), "chat": ("messages",)}
SHOW_STEPS = 50
Tell = Callable[[str], None]


def prepare(task: Task, data: Path, work: Path, limit: int | None, tell: Tell) -> None:
    """Write what is trained and validated on into `work`, the first `limit` examples of each. Raises OSError."""
    fields = FIELDS[read_recipe(task)[0]["task"]]
    for part in (TRAIN, VALIDATION):
        rows = task.examples(data, part)[:limit]
        digest = write_lines(work / f"{part}.jsonl", rows, fields)
        tell(f"{part}: {len(rows):,} examples, sha256 {digest[:12]}")


def train(name: str, spec: TrainSpec, tell: Tell) -> Path:
    """Train, or go on where a run that was cut off had come to; gives the adapter's folder. Raises `ModelError`."""
    for event in train_lora(spec):
        told = _told(event)
        if told:
            tell(told)
        if event.kind == "done":
            _stamp(name, spec, event.seconds or 0.0)
    if spec.checkpoint is not None:
        spec.checkpoint.unlink(missing_ok=True)
    return spec.target


def make(
    task: Task,
    name: str,
    *,
    base: Path,
    data: Path,
    work: Path,
    device: str,
    changes: Sequence[str],
    tell: Tell,
) -> Path:
    """All steps, in `work`; gives the adapter's folder, its thresholds chosen. Raises OSError and `ModelError`."""
    from models_zoo.zoo.evaluation import settle_thresholds
    from models_zoo.zoo.served import Served

    prepare(task, data, work, None, tell)
    adapter = train(name, training_spec(task, work, base, device, changes), tell)
    if task.settle is not None:
        settle_thresholds(task, Served(base, adapter, device), data, adapter, None)
    return adapter


def _told(event: TrainEvent) -> str:
    """A line about what happened; empty for most steps."""
    if event.kind == "step":
        shown = event.step % SHOW_STEPS == 1
        told = f"loss {event.loss:.4f} {event.tokens_per_second:.0f} tok/s {event.eta_s:.0f} s left"
        return f"step {event.step}/{event.steps} {told}" if shown else ""
    figures = " ".join(f"{name} {value:.4f}" for name, value in event.metrics.items())
    return f"{event.kind} {event.step}/{event.steps} {figures}{' best' if event.best else ''}"


def _stamp(name: str, spec: TrainSpec, seconds: float) -> None:
    """What only the one who trained knows: how long it took, on what, by which commands."""
    import torch

    device = torch.cuda.get_device_name() if spec.device.startswith("cuda") else "cpu"
    card = read_adapter_card(spec.target)
    told = {"seconds": round(seconds, 1), "device_name": device, "commands": commands(name)}
    write_card(replace(card, training=card.training | told), spec.target / ADAPTER_CARD_FILE)
