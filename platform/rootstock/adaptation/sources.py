"""What a training learns from: its data sets by their part in it, and the version that it goes on from."""

from dataclasses import dataclass
from math import sqrt
from typing import Any, Self
from uuid import UUID

from pydantic import ValidationError

from rootstock.adaptation.train_settings import MOST_ALPHA, TrainSettings
from rootstock.errors import DomainError, FieldProblem, InvalidInput, NotFound
from rootstock.registry.datasets.contents import dataset_file
from rootstock.registry.datasets.uses import ROLES
from rootstock.registry.fitness import unfit
from rootstock.registry.models import AdapterVersion, Dataset
from rootstock.registry.selectors import version_named


@dataclass(slots=True, frozen=True)
class Sources:
    """As they were named: ids of data sets, and a version as `name@digest`."""

    dataset: UUID
    evaluation: UUID | None = None
    mix: UUID | None = None
    replay: UUID | None = None
    start_from: str = ""

    @classmethod
    def of_fields(cls, given: dict[str, Any]) -> Self:
        """From the fields of a form or a body: `dataset_id`, `evaluation_id` and so on."""
        ids = {role: given.get(f"{role}_id") or None for role in ROLES}
        found = {role: UUID(str(id)) for role, id in ids.items() if id}
        return cls(**found, start_from=given.get("start_from") or "")


@dataclass(slots=True, frozen=True)
class Loaded:
    """The rows behind them."""

    datasets: dict[str, Dataset]
    parent: AdapterVersion | None

    def named(self) -> dict[str, str | None]:
        """As the job's parameters hold them: the version for people, and by the digest that the trainer goes by."""
        found = {role: str(self.datasets[role].pk) if role in self.datasets else None for role in ROLES}
        reference, digest = (self.parent.reference, self.parent.digest) if self.parent else ("", "")
        return {**found, "start_from": reference, "start_from_digest": digest}

    @property
    def dataset(self) -> Dataset:
        """What is learned."""
        return self.datasets["dataset"]


def load(sources: Sources) -> Loaded:
    """The rows. Raises InvalidInput or NotFound naming every field that is wrong. Inside `tenant()`."""
    found, problems = dict[str, Dataset](), list[DomainError]()
    for role in ROLES:
        id = getattr(sources, role)
        if id is None:
            continue
        try:
            found[role] = _dataset(role, id)
        except DomainError as error:
            problems.append(error)
    parent = None
    if sources.start_from:
        try:
            parent = _parent(sources.start_from)
        except DomainError as error:
            problems.append(error)
    if problems:
        kind = NotFound if any(isinstance(one, NotFound) for one in problems) else type(problems[0])
        told = [one for error in problems for one in error.errors]
        raise kind(problems[0].detail, errors=told)
    return Loaded(found, parent)


def _dataset(role: str, id: UUID) -> Dataset:
    field = f"{role}_id"
    dataset = Dataset.objects.filter(pk=id).first()
    if dataset is None:
        raise NotFound(f"{field}: no such data set", errors=[FieldProblem(field, "no such data set")])
    if dataset.is_test:
        reason = f"{dataset.name} is a frozen test set, kept from every training"
        raise InvalidInput.field(field, reason)
    try:
        dataset_file(dataset)
    except DomainError as error:
        reason = error.errors[0].reason if error.errors else error.detail.removeprefix("dataset_id: ")
        raise type(error)(f"{field}: {reason}", errors=[FieldProblem(field, reason)]) from None
    return dataset


def _parent(reference: str) -> AdapterVersion:
    try:
        version = version_named(reference, "start_from")
    except NotFound as error:
        reason = error.detail.removeprefix("start_from: ")
        raise NotFound(error.detail, errors=[FieldProblem("start_from", reason)]) from None
    if why := unfit(version):
        raise InvalidInput.field("start_from", f"{reference} {why}")
    return version


def shaped(settings: TrainSettings, parent: AdapterVersion | None) -> TrainSettings:
    """The settings with the shape of the version that the training goes on from: it cannot have another.

    Raises InvalidInput when it has one, as others may bring it, that is not trained here.
    """
    if parent is None:
        return settings
    card, trained = parent.card, parent.card.get("training") or {}
    shape = {
        "rank": card["rank"], **_strength(parent),
        "targets": tuple(card["targets"]),
        "last_layers": trained.get("last_layers"),
        "multi_label": trained.get("multi_label", settings.multi_label),
    }  # fmt: skip
    try:
        return TrainSettings.model_validate(settings.model_dump() | shape)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]
        told = f"{parent.reference} has a shape that is not trained: {wrong['loc'][0]}: {wrong['msg']}"
        raise InvalidInput.field("start_from", told) from None


def _strength(parent: AdapterVersion) -> dict[str, Any]:
    """The settings that give the version's scale."""
    rank, scale = parent.card["rank"], parent.card["scale"]
    for rs_lora, root in ((False, rank), (True, sqrt(rank))):
        if scale * root <= MOST_ALPHA:
            return {"rs_lora": rs_lora, "alpha": scale * root}
    raise InvalidInput.field(
        "start_from", f"{parent.reference} has a scale of {scale:g}, too much to go on from"
    )
