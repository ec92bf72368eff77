"""The steps that make an adapter: its data, its teachers where it has them, its training, its thresholds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models_zoo.llm.card import ADAPTER_CARD_FILE, ModelError, read_adapter_card, write_card
from models_zoo.llm.training import TrainEvent, TrainSpec, train_lora
from models_zoo.llm.training.checks import check_spec
from models_zoo.zoo.cards import commands
from models_zoo.zoo.files import write_lines
from models_zoo.zoo.recipe import mixed, read_recipe, read_teachers, training_spec
from models_zoo.zoo.tasks import MIX, TRAIN, VALIDATION, Task

FIELDS = {"classification": ("text", "labels"), "tagging": ("text", "spans"), "chat": ("messages",)}
SHOW_STEPS = 50
Tell = Callable[[str], None]


def prepare(
    task: Task,
    data: Path,
    work: Path,
    limit: int | None,
    tell: Tell,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Write what is trained and validated on into `work`, the first `limit` examples of each. Raises OSError.

    changes: fields of the recipe; with `mix_schedule` the second corpus is written too. Raises `ModelError` where the
    task has none.
    """
    values = {**read_recipe(task)[0], **(changes or {})}
    if mixed(values) and not task.mixes:
        raise ModelError(f"mix_schedule: {values['name']} has no second corpus")
    fields = FIELDS[values["task"]]
    for part in (TRAIN, VALIDATION, *([MIX] if mixed(values) else [])):
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
    changes: Mapping[str, Any],
    tell: Tell,
    limit: int | None = None,
) -> Path:
    """All steps, in `work`; gives the adapter's folder, its thresholds chosen. Raises OSError and `ModelError`.

    changes: fields of the recipe, of its teachers too where the recipe does not set them for those.
    limit: only the first so many examples of each part
    """
    from models_zoo.zoo.evaluation import settle_thresholds
    from models_zoo.zoo.served import Served

    spec = training_spec(task, work, base, device, changes)
    check_spec(spec)  # before its teachers are trained
    prepare(task, data, work, limit, tell, changes)
    _teach(task, name, base, work, device, changes, tell)
    adapter = train(name, spec, tell)
    if task.settle is not None:
        settle_thresholds(task, Served(base, adapter, device), data, adapter, limit)
    return adapter


def _teach(
    task: Task, name: str, base: Path, work: Path, device: str, changes: Mapping[str, Any], tell: Tell
) -> None:
    """Train the recipe's teachers, those that are there already left as they are, and write what they say."""
    from models_zoo.zoo.distil import soften

    teachers = read_teachers(task)
    if teachers is None:
        return
    folders = []
    for seed in range(teachers.count):
        place = work / f"teacher-{seed}"
        place.mkdir(exist_ok=True)
        for path in work.glob("*.jsonl"):
            shutil.copy(path, place)
        spec = training_spec(task, place, base, device, {**changes, **teachers.settings(seed)})
        tell(f"teacher {seed + 1} of {teachers.count}")
        folders.append(spec.target if spec.target.is_dir() else train(name, spec, tell))
    learned = work / f"{TRAIN}.jsonl"
    count = soften(base, folders, learned, learned, device, teachers.hard)
    tell(f"{TRAIN}: {count:,} examples, with probabilities of {len(folders)} teachers")


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
