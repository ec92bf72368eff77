"""A training's figures and settings in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.template.defaultfilters import filesizeformat, pluralize

from rootstock.adaptation.base_settings import BaseTrainSettings
from rootstock.adaptation.common_settings import CommonSettings
from rootstock.adaptation.train_settings import TrainSettings
from rootstock.console import formats
from rootstock.jobs.models import Job
from rootstock.registry.models import Dataset
from rootstock.registry.pages.words import FIGURES

Told = Sequence[dict[str, Any]]
PARTS = {
    "dataset": "Data set", "evaluation": "Evaluation set", "mix": "Second data set", "replay": "Replayed data set",
}  # fmt: skip
FIELDS = BaseTrainSettings.model_fields | TrainSettings.model_fields


@dataclass(slots=True, frozen=True)
class Tile:
    """One figure of the page's head."""

    label: str
    value: str
    note: str = ""


def latest_tiles(job: Job, step: dict[str, Any], evaluations: Told) -> list[Tile]:
    """Where it stands: only what has been told."""
    found = [Tile("Step", f"{job.done:,}", f"of {job.total:,}" if job.total else "")] if job.done else []
    if step.get("loss") is not None:
        found.append(Tile("Loss", f"{step['loss']:.3f}", f"epoch {step.get('epoch', 0.0):.1f}"))
    best = next((one for one in reversed(evaluations) if one.get("best")), None)
    if best:
        name, value = _leading(best["metrics"])
        found.append(Tile(f"Best: {name}", f"{value:.3f}", f"at step {best.get('step', 0):,}"))
    if step.get("learning_rate") is not None:
        found.append(Tile("Learning rate", f"{step['learning_rate']:.2e}"))
    if step.get("tokens_per_second") is not None:
        found.append(Tile("Speed", f"{step['tokens_per_second']:,.0f}", "tokens/s"))
    if step.get("memory_bytes") is not None:
        found.append(Tile("Memory", filesizeformat(step["memory_bytes"]), "of the training process"))
    return found


def _leading(metrics: dict[str, float]) -> tuple[str, float]:
    """The figure by which states are ranked, under the name that people know."""
    score = metrics.get("score")
    for name, value in metrics.items():
        if name != "score" and score is not None and abs(abs(value) - abs(score)) < 1e-9:
            return figure_title(name).lower(), value
    return "score", score or 0.0


def came_out(job: Job) -> str:
    """The reference of the adapter or base that came out; empty while there is none."""
    result = job.result or {}
    return str(result.get("adapter") or result.get("base") or "")


def evaluations_told(evaluations: Told) -> dict[str, Any]:
    """The evaluations as a table: its heads and rows, the newest first."""
    rows = [one for one in evaluations if one.get("step") is not None]
    names = list(dict.fromkeys(name for one in rows for name in one["metrics"] if name != "score"))
    return {
        "heads": [figure_title(name) for name in names],
        "rows": [
            (one["step"], [figure_words(one["metrics"].get(name)) for name in names], one.get("best", False))
            for one in reversed(rows)
        ],
    }


def samples_told(job: Job, samples: Told) -> dict[str, Any]:
    """What was answered on the way: the questions, and for each checkpoint the answers, the newest first."""
    asked = job.params.get("settings", {}).get("sample_prompts", [])
    answers: dict[int, dict[int, str]] = {}
    for one in samples:
        answers.setdefault(one["step"], {})[one["prompt"]] = one["text"]
    return {
        "heads": asked,
        "rows": [
            (step, [answers[step].get(number, "") for number in range(1, len(asked) + 1)])
            for step in sorted(answers, reverse=True)
        ],
    }


def figure_title(name: str) -> str:
    """A figure's name for people."""
    return FIGURES.get(name, name.replace("_", " ").capitalize())


def figure_words(value: float | None) -> str:
    """A figure, to four digits."""
    return formats.NONE if value is None else f"{value:,.4g}"


def settings_told(settings: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """A run's settings by group, in words, in the order of the form: of a base where there is a recipe."""
    model: type[CommonSettings] = BaseTrainSettings if "recipe" in settings else TrainSettings
    found: dict[str, list[tuple[str, str]]] = {title: [] for title, _ in model.groups.values()}
    for name in [name for name in model.model_fields if name in settings]:
        title, _ = model.groups[model.group_of(name)]
        found[title].append((setting_title(name), setting_words(settings[name], name)))
    return [(title, pairs) for title, pairs in found.items() if pairs]


@dataclass(slots=True, frozen=True)
class Source:
    """Something that a training learns from. dataset: its page's, where it is one that is there."""

    label: str
    words: str
    dataset: UUID | None = None


def sources_told(job: Job, datasets: dict[str, Dataset]) -> list[Source]:
    """What it learns from: the parts that data sets have in it, and the version that it goes on from."""
    found = [
        Source(label, f"{one.name}, {one.rows:,} example{pluralize(one.rows)}", one.pk)
        if one
        else Source(label, "A data set that is gone")
        for role, label in PARTS.items()
        if (id := job.params.get(role))
        for one in [datasets.get(id)]
    ]
    parent = job.params.get("start_from") or job.params.get("base")
    return found + ([Source("Goes on from", parent)] if parent else [])


def setting_title(name: str) -> str:
    """A setting's name on the form."""
    known = FIELDS.get(name)
    return (known.title if known else None) or name


def setting_words(value: Any, name: str = "") -> str:
    """A setting's value."""
    if value is None or value == "" or value == []:
        return formats.NONE
    if isinstance(value, bool):
        return "Yes" if value else "No"
    extra = FIELDS[name].json_schema_extra if name in FIELDS else None
    words: Any = extra.get("words", {}) if isinstance(extra, dict) else {}
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(words.get(value, value))
