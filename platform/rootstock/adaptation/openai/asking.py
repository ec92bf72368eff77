"""A fine-tuning job from OpenAI's words: files become data sets, hyperparameters become settings."""

import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, TypeVar, cast

from django.core.files.uploadedfile import UploadedFile

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.models import FineTuning
from rootstock.adaptation.openai.files import upload_named
from rootstock.adaptation.openai.schemas import FineTuningIn, Hyperparameters
from rootstock.adaptation.services import adapter_train
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


def fine_tuning_create(*, organisation: Organisation, body: FineTuningIn, created_by: User | None) -> Job:
    """Make the data sets that are named, and start. Raises what refuses it, naming OpenAI's field."""
    _check_model(organisation, body.model)
    settings = settings_of(body)
    name = _name(body.suffix, "suffix") if body.suffix else ""
    training = upload_named(organisation, body.training_file, "training_file")
    dataset = _dataset(organisation, training, "training_file", created_by)
    given: dict[str, Any] = {"name": name or dataset.name, "dataset_id": dataset.pk, "settings": settings}
    with tenant(organisation) as owner:
        job = _naming(
            {"name": "suffix", "dataset_id": "training_file"},
            lambda: adapter_train(organisation=organisation, created_by=created_by, **given),
        )
        FineTuning.objects.create(
            organisation_id=owner, job=job, training_file=training.pk,
            asked=body.dict(include={"model", "method", "hyperparameters", "metadata"}, exclude_none=True),
        )  # fmt: skip
    return job


def settings_of(body: FineTuningIn) -> TrainSettings:
    """The settings; what is `auto` is the default."""
    method = body.method.supervised if body.method else None
    chosen = (method.hyperparameters if method else body.hyperparameters) or Hyperparameters()
    rate = _given(chosen.learning_rate_multiplier)
    found = {
        "epochs": _given(chosen.n_epochs), "batch_size": _given(chosen.batch_size), "seed": body.seed,
        "learning_rate": rate * TrainSettings().learning_rate if rate is not None else None,
    }  # fmt: skip
    return TrainSettings(**{name: value for name, value in found.items() if value is not None})


def _given(value: Any) -> Any:
    return None if value == "auto" else value


def _check_model(organisation: Organisation, name: str) -> None:
    """The base, by its own name too. Raises InvalidInput or NotFound naming `model`."""
    card = base_card()
    if card is not None and name == card.name:
        return
    if model_find(organisation, name).parent is not None:
        raise InvalidInput.field("model", "is an adapter; a training begins from the base")


def _name(text: str, field: str) -> str:
    """A name as the registry takes it, from one that people chose."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63]
    try:
        check_name(name)
    except InvalidInput:
        raise InvalidInput.field(field, "needs two letters or digits at least") from None
    return name


def _dataset(organisation: Organisation, file: StoredFile, field: str, by: User | None) -> Dataset:
    """The file's examples as a data set, or the one that is there. Raises InvalidInput with the lines."""
    try:
        name = _name(PurePath(file.name).stem, field)
    except InvalidInput:
        name = UNNAMED
    _, stored = file_open(organisation=organisation, file_id=file.pk, done="used")
    with stored:
        content = UploadedFile(file=cast(Any, stored), name=f"{name}.jsonl", size=file.bytes)
        dataset, _ = _naming(
            {},
            lambda: dataset_create(organisation=organisation, name=name, content=content, created_by=by),
            field,
        )
    return dataset


def _naming(names: dict[str, str], service: Callable[[], T], otherwise: str = "") -> T:
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
    shown = "" if problem.field in (*names, "file") else f"{problem.field}: "
    return f"{shown}{problem.reason}"
