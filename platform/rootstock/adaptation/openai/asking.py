"""A fine-tuning job from OpenAI's words: files become data sets, hyperparameters become settings."""

import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, TypeVar, cast

from django.core.files.uploadedfile import UploadedFile

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.checks import PAIRS
from rootstock.adaptation.models import FineTuning
from rootstock.adaptation.openai.files import upload_named
from rootstock.adaptation.openai.pairs import pairs_read
from rootstock.adaptation.openai.schemas import FineTuningIn, Hyperparameters
from rootstock.adaptation.presets import PRESETS
from rootstock.adaptation.services import adapter_train
from rootstock.adaptation.sources import Sources
from rootstock.adaptation.train_settings import TrainSettings
from rootstock.errors import DomainError, FieldProblem, InvalidInput
from rootstock.files.models import StoredFile
from rootstock.files.services import file_open
from rootstock.gateway.served import model_find
from rootstock.jobs.models import Job
from rootstock.registry.base import base_card
from rootstock.registry.datasets.services import dataset_create
from rootstock.registry.models import Dataset
from rootstock.registry.names import check_name

T = TypeVar("T")
UNNAMED = "fine-tuned"
FIELDS = {
    "name": "suffix", "dataset_id": "training_file", "evaluation_id": "validation_file", "start_from": "model",
    "method": "method.type",
}  # fmt: skip


def fine_tuning_create(*, organisation: Organisation, body: FineTuningIn, created_by: User | None) -> Job:
    """Make the data sets that are named, and start. Raises what refuses it, naming OpenAI's field."""
    start_from, settings = _parent(organisation, body.model), settings_of(body)
    name = _name(body.suffix, "suffix") if body.suffix else ""
    training = upload_named(organisation, body.training_file, "training_file")
    validation = (
        upload_named(organisation, body.validation_file, "validation_file") if body.validation_file else None
    )
    given: dict[str, Any] = {"task": PAIRS if is_dpo(body) else "chat", "created_by": created_by}
    dataset = _dataset(organisation, training, "training_file", **given)
    measured = _dataset(organisation, validation, "validation_file", **given) if validation else None
    sources = Sources(dataset.pk, measured.pk if measured else None, start_from=start_from)
    with tenant(organisation) as owner:
        job = _naming(
            lambda: adapter_train(
                organisation=organisation, name=name or dataset.name, sources=sources, settings=settings,
                created_by=created_by,
            ),
            FIELDS,
        )  # fmt: skip
        FineTuning.objects.create(
            organisation_id=owner, job=job, training_file=training.pk,
            validation_file=validation.pk if validation else None,
            asked=body.dict(include={"model", "metadata"}, exclude_none=True),
        )  # fmt: skip
    return job


def settings_of(body: FineTuningIn) -> TrainSettings:
    """The settings; what is `auto` is the default, of the preset for pairs where there are pairs."""
    chosen = _hyperparameters(body)
    usual = defaults_of(is_dpo(body))
    rate, beta = _given(chosen.learning_rate_multiplier), _given(getattr(chosen, "beta", None))
    found = {
        "epochs": _given(chosen.n_epochs), "batch_size": _given(chosen.batch_size), "seed": body.seed,
        "learning_rate": rate * usual.learning_rate if rate is not None else None, "beta": beta,
    }  # fmt: skip
    return TrainSettings.model_validate(
        usual.model_dump() | {name: value for name, value in found.items() if value is not None}
    )


def is_dpo(body: FineTuningIn) -> bool:
    """Whether it learns from pairs."""
    return body.method is not None and body.method.type == "dpo"


def defaults_of(dpo: bool) -> TrainSettings:
    """What is meant by `auto`."""
    return TrainSettings(**PRESETS["pairs" if dpo else "balanced"].settings)


def _hyperparameters(body: FineTuningIn) -> Hyperparameters:
    method = body.method
    told = (method.dpo if method.type == "dpo" else method.supervised) if method else None
    return (told.hyperparameters if told else body.hyperparameters) or Hyperparameters()


def _given(value: Any) -> Any:
    return None if value == "auto" else value


def _parent(organisation: Organisation, name: str) -> str:
    """The version to go on from; empty for the base, by its own name too. Raises naming `model`."""
    card = base_card()
    return (
        "" if card is not None and name == card.name else model_find(organisation, name, tries=True).adapter
    )


def _name(text: str, field: str) -> str:
    """A name as the registry takes it, from one that people chose."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63]
    try:
        check_name(name)
    except InvalidInput:
        raise InvalidInput.field(field, "needs two letters or digits at least") from None
    return name


def _dataset(organisation: Organisation, file: StoredFile, field: str, **given: Any) -> Dataset:
    """The file's examples as a data set, or the one that is there. Raises InvalidInput with the lines."""
    try:
        name = _name(PurePath(file.name).stem, field)
    except InvalidInput:
        name = UNNAMED
    _, stored = file_open(organisation=organisation, file_id=file.pk, done="used")
    with stored:
        content = pairs_read(stored) if given["task"] == PAIRS else UploadedFile(cast(Any, stored))
        dataset, _ = _naming(
            lambda: dataset_create(organisation=organisation, name=name, content=content, **given),
            {"file": field},
            field,
        )
    return dataset


def _naming(service: Callable[[], T], names: dict[str, str], otherwise: str = "") -> T:
    """Run a service; what it refuses is told under OpenAI's names of the fields."""
    try:
        return service()
    except DomainError as error:
        problems = [
            FieldProblem(names.get(one.field) or otherwise or one.field, _reason(one, names))
            for one in error.errors
        ]
        if not problems:
            raise
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise type(error)(f"{problems[0].field}: {problems[0].reason}{more}", errors=problems) from None


def _reason(problem: FieldProblem, names: dict[str, str]) -> str:
    return problem.reason if problem.field in names else f"{problem.field}: {problem.reason}"
