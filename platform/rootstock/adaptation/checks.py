"""What does not go together: settings with data, data with data. A literal list of questions."""

from collections.abc import Callable, Iterator
from math import sqrt

from models_zoo.llm.adapter_files import MAX_SCALE, longest_window
from models_zoo.llm.card import BaseCard
from rootstock.adaptation.sources import ROLES, Loaded
from rootstock.adaptation.train_settings import TrainSettings
from rootstock.errors import FieldProblem, InvalidInput

HEADS = ("classification", "tagging")
Problems = Iterator[FieldProblem]


def check_together(settings: TrainSettings, loaded: Loaded, base: BaseCard) -> None:
    """Raise InvalidInput naming every field that does not fit the others."""
    found = [problem for ask in QUESTIONS for problem in ask(settings, loaded, base)]
    if found:
        raise InvalidInput(f"{found[0].field}: {found[0].reason}", errors=found)


def _data(settings: TrainSettings, loaded: Loaded, base: BaseCard) -> Problems:
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


def _method(settings: TrainSettings, loaded: Loaded, base: BaseCard) -> Problems:
    task = loaded.dataset.task
    if task == "preference":
        yield FieldProblem("dataset_id", "pairs of answers are not learned from by this method")
    if settings.method == "two_stage" and task not in HEADS:
        yield FieldProblem("method", f"two stages need data with labels, not {task}")


def _evaluation(settings: TrainSettings, loaded: Loaded, base: BaseCard) -> Problems:
    if "evaluation" in loaded.datasets:
        return
    for name in ("patience", "evaluate_every"):
        if getattr(settings, name) is not None:
            yield FieldProblem(name, "needs an evaluation data set")


def _texts(settings: TrainSettings, loaded: Loaded, base: BaseCard) -> Problems:
    task = loaded.dataset.task
    if task in HEADS and not settings.answers_only:
        yield FieldProblem("answers_only", f"is for chats, not for {task}")
    if task == "classification" and settings.packing:
        yield FieldProblem("packing", "is not for classification: a class is one whole row's")
    if task != "classification" and settings.multi_label:
        yield FieldProblem("multi_label", f"is for classification, not for {task}")
    longest = longest_window(task if task in HEADS else "chat", base)  # type: ignore[arg-type]
    if settings.max_tokens > longest:
        yield FieldProblem("max_tokens", f"is more than the {longest:,} that can be read in one piece")


def _shape(settings: TrainSettings, loaded: Loaded, base: BaseCard) -> Problems:
    parent = loaded.parent
    wanted = "chat" if loaded.dataset.task == "preference" else loaded.dataset.task
    if parent and parent.task != wanted:
        yield FieldProblem(
            "start_from", f"{parent.reference} is for {parent.task}, the data set for {wanted}"
        )
    if settings.last_layers and settings.last_layers > base.config.layers:
        yield FieldProblem("last_layers", f"is more than the base's {base.config.layers} layers")
    root = sqrt(settings.rank) if settings.rs_lora else settings.rank
    if settings.alpha > MAX_SCALE * root:
        yield FieldProblem("alpha", "is too much for this rank")


QUESTIONS: tuple[Callable[[TrainSettings, Loaded, BaseCard], Problems], ...] = (
    _data, _method, _evaluation, _texts, _shape,
)  # fmt: skip
