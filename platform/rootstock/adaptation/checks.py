"""What does not go together: settings with data, data with data. A literal list of questions."""

from collections.abc import Callable, Iterator
from math import sqrt
from typing import cast

from models_zoo.llm.adapter_files import MAX_SCALE, longest_window
from models_zoo.llm.card import BaseCard, Task
from rootstock.adaptation.labels import HEADS, label_problems
from rootstock.adaptation.sources import Loaded
from rootstock.adaptation.train_settings import TrainSettings
from rootstock.errors import FieldProblem, InvalidInput
from rootstock.registry.datasets.estimating import epoch_steps, head_steps
from rootstock.registry.datasets.uses import ROLES

PAIRS = "preference"
FOR = {
    "answers_only": ("chat",), "sample_prompts": ("chat", PAIRS), "packing": ("chat", "tagging"),
    "multi_label": ("classification",),
}  # fmt: skip
Problems = Iterator[FieldProblem]


def adapter_task(task: str) -> Task:
    """What an adapter that learns from such data is for."""
    return "chat" if task == PAIRS else cast(Task, task)


def check_together(settings: TrainSettings, loaded: Loaded, base: BaseCard) -> None:
    """Raise InvalidInput naming every field that does not fit the others."""
    found = [problem for ask in QUESTIONS for problem in ask(settings, loaded, base)]
    if found:
        raise InvalidInput(f"{found[0].field}: {found[0].reason}", errors=found)


def data_problems(loaded: Loaded) -> Problems:
    """Other data sets are of the same task, and the one to evaluate on is not trained on."""
    seen = {loaded.dataset.pk}
    for role in ROLES[1:]:
        other = loaded.datasets.get(role)
        if other is None:
            continue
        if other.task != loaded.dataset.task:
            yield FieldProblem(
                f"{role}_id", f"{other.name} is for {other.task}, the training for {loaded.dataset.task}"
            )
        elif other.pk in seen:
            yield FieldProblem(f"{role}_id", f"{other.name} has another part in this training already")
        seen.add(other.pk)


def _data(settings: TrainSettings, loaded: Loaded, base: BaseCard) -> Problems:
    yield from data_problems(loaded)


def _method(settings: TrainSettings, loaded: Loaded, base: BaseCard) -> Problems:
    task, method = loaded.dataset.task, settings.method
    if (method == "dpo") != (task == PAIRS):
        told = "learns from pairs of answers" if method == "dpo" else "does not learn from pairs of answers"
        yield FieldProblem("method", f"{method} {told}: {loaded.dataset.name} is for {task}")
    elif method == "two_stage" and task not in HEADS:
        yield FieldProblem("method", f"two_stage needs data with labels, not {task}")
    if method == "dpo" and settings.label_smoothing >= 0.5:
        yield FieldProblem("label_smoothing", "of pairs must be less than half: the rest is noise")


def _evaluation(settings: TrainSettings, loaded: Loaded, base: BaseCard) -> Problems:
    if "evaluation" in loaded.datasets:
        return
    if settings.patience is not None:
        yield FieldProblem("patience", "needs an evaluation data set")
    if settings.evaluate_every is not None and not settings.sample_prompts:
        yield FieldProblem("evaluate_every", "needs an evaluation data set, or questions to ask then")


def _texts(settings: TrainSettings, loaded: Loaded, base: BaseCard) -> Problems:
    """Settings that mean nothing for the task at hand."""
    task = loaded.dataset.task
    given = {
        "answers_only": not settings.answers_only, "sample_prompts": bool(settings.sample_prompts),
        "packing": settings.packing, "multi_label": settings.multi_label,
    }  # fmt: skip
    for name, is_given in given.items():
        if is_given and task not in FOR[name]:
            yield FieldProblem(name, f"is for {' and '.join(FOR[name])}, not for {task}")
    longest = longest_window(adapter_task(task), base)
    if settings.max_tokens > longest:
        yield FieldProblem("max_tokens", f"is more than the {longest:,} that can be read in one piece")


def _shape(settings: TrainSettings, loaded: Loaded, base: BaseCard) -> Problems:
    parent = loaded.parent
    wanted = adapter_task(loaded.dataset.task)
    if parent and parent.task != wanted:
        yield FieldProblem(
            "start_from", f"{parent.reference} is for {parent.task}, the data set for {wanted}"
        )
    if settings.last_layers and settings.last_layers > base.config.layers:
        yield FieldProblem("last_layers", f"is more than the base's {base.config.layers} layers")
    root = sqrt(settings.rank) if settings.rs_lora else settings.rank
    if settings.alpha > MAX_SCALE * root:
        yield FieldProblem("alpha", "is too much for this rank")


def _stages(settings: TrainSettings, loaded: Loaded, base: BaseCard) -> Problems:
    """Two stages need steps for both."""
    if settings.method != "two_stage" or settings.max_steps is None:
        return
    rows = sum(loaded.datasets[role].rows for role in ("dataset", "mix") if role in loaded.datasets)
    told = settings.model_dump()
    first = head_steps(told, epoch_steps(told, rows, replayed="replay" in loaded.datasets))
    if settings.max_steps <= first:
        yield FieldProblem("max_steps", f"leaves none for the second stage: the head's takes {first:,}")


def _labels(settings: TrainSettings, loaded: Loaded, base: BaseCard) -> Problems:
    return label_problems(settings, loaded)


QUESTIONS: tuple[Callable[[TrainSettings, Loaded, BaseCard], Problems], ...] = (
    _data, _method, _evaluation, _texts, _shape, _stages, _labels,
)  # fmt: skip
