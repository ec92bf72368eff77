"""What does not go together when a base is trained, and what would not fit."""

from collections.abc import Callable, Iterator

from django.conf import settings as site
from django.template.defaultfilters import filesizeformat

from models_zoo.llm.adapter_files import longest_window
from rootstock.adaptation.base_estimates import device, need, room_bytes
from rootstock.adaptation.base_settings import BaseTrainSettings
from rootstock.adaptation.checks import data_problems
from rootstock.adaptation.sources import Loaded
from rootstock.errors import FieldProblem, InvalidInput
from rootstock.registry.base_shapes import BaseShape

Problems = Iterator[FieldProblem]


def check_base_together(settings: BaseTrainSettings, loaded: Loaded, shape: BaseShape) -> None:
    """Raise InvalidInput naming every field that does not fit the others, the base or the memory."""
    found = [problem for ask in QUESTIONS for problem in ask(settings, loaded, shape)]
    if found:
        raise InvalidInput(f"{found[0].field}: {found[0].reason}", errors=found)


def _data(settings: BaseTrainSettings, loaded: Loaded, shape: BaseShape) -> Problems:
    if loaded.dataset.task != "chat":
        told = f"{loaded.dataset.name} is for {loaded.dataset.task}: bases learn conversations"
        yield FieldProblem("dataset_id", told)
    yield from data_problems(loaded)


def _student(settings: BaseTrainSettings, loaded: Loaded, shape: BaseShape) -> Problems:
    wanted, there = settings.student_layers, shape.card.config.layers
    if wanted is not None and settings.recipe != "distil":
        yield FieldProblem("student_layers", "is for a base that is distilled")
    elif wanted is not None and wanted > there:
        yield FieldProblem("student_layers", f"is more than the base's {there} layers")


def _window(settings: BaseTrainSettings, loaded: Loaded, shape: BaseShape) -> Problems:
    longest = longest_window("chat", shape.card)
    if settings.max_tokens > longest:
        yield FieldProblem("max_tokens", f"is more than the {longest:,} that can be read in one piece")


def _memory(settings: BaseTrainSettings, loaded: Loaded, shape: BaseShape) -> Problems:
    wanted, room = need(settings, shape), room_bytes()
    if room is None or wanted.total <= room:
        return
    field = "recipe" if wanted.weights > room else "batch_size"
    each = " in each process" if site.TRAIN_PROCESSES > 1 else ""
    yield FieldProblem(
        field,
        f"needs {filesizeformat(wanted.total)} of memory on {device()}{each}, of {filesizeformat(room)} that it may "
        f"have: {wanted.parameters / 1e6:,.1f} million parameters with gradients and moments are "
        f"{filesizeformat(wanted.weights)}, a batch of {settings.batch_size} times {settings.max_tokens} tokens "
        f"{filesizeformat(wanted.activations)}",
    )


QUESTIONS: tuple[Callable[[BaseTrainSettings, Loaded, BaseShape], Problems], ...] = (
    _data, _student, _window, _memory,
)  # fmt: skip
