"""What `manage.py adapt` reads: a TOML file."""

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.base_services import base_train
from rootstock.adaptation.base_settings import BaseTrainSettings
from rootstock.adaptation.services import adapter_train
from rootstock.adaptation.sources import Sources
from rootstock.adaptation.train_settings import TrainSettings
from rootstock.errors import DomainError, FieldProblem, InvalidInput
from rootstock.jobs.models import Job
from rootstock.registry.datasets.services import dataset_create
from rootstock.registry.datasets.uses import ROLES
from rootstock.registry.models import Dataset


class _Config(BaseModel):
    """A data set is named as it is called in the registry, or as a file beside the configuration, which is then
    uploaded."""

    model_config = ConfigDict(extra="forbid")
    organisation: str = ""
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
    task: Literal["chat", "classification", "tagging", "preference"] = "chat"  # of files
    dataset: str
    mix: str = ""
    replay: str = ""


class AdaptConfig(_Config):
    """Of an adapter's training."""

    train: Literal["adapter"] = "adapter"
    evaluation: str = ""
    start_from: str = ""
    settings: TrainSettings = TrainSettings()

    def begin(self, organisation: Organisation, sources: Sources) -> Job:
        """Start it."""
        return adapter_train(
            organisation=organisation, name=self.name, sources=sources, settings=self.settings
        )


class BaseAdaptConfig(_Config):
    """Of a base's training. base: the one that it begins from, `name@fingerprint`; empty: the served one."""

    train: Literal["base"]
    evaluation: str
    base: str = ""
    settings: BaseTrainSettings = BaseTrainSettings()

    def begin(self, organisation: Organisation, sources: Sources) -> Job:
        """Start it."""
        return base_train(
            organisation=organisation, name=self.name, sources=sources, settings=self.settings, base=self.base
        )


Config = AdaptConfig | BaseAdaptConfig
CONFIGS: dict[str, type[Config]] = {"adapter": AdaptConfig, "base": BaseAdaptConfig}


def config_read(path: Path) -> Config:
    """The configuration. Raises InvalidInput naming each field that is wrong, by its path."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path}: {error}") from None
    train = values.get("train", "adapter")
    if not isinstance(train, str) or train not in CONFIGS:
        raise InvalidInput.field("train", f"must be one of {', '.join(CONFIGS)}")
    try:
        return CONFIGS[train].model_validate(values)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        problems = [FieldProblem(".".join(map(str, one["loc"])), one["msg"]) for one in found]
        raise InvalidInput(f"{problems[0].field}: {problems[0].reason}", errors=problems) from None


@contextmanager
def named_by_file() -> Iterator[None]:
    """What a service refuses is told with the paths of the file."""
    try:
        yield
    except DomainError as error:
        told = [FieldProblem(_path(one.field), one.reason) for one in error.errors]
        raise type(error)(error.detail, errors=told) from None


def _path(field: str) -> str:
    name = field.partition(".")[0]
    if name in TrainSettings.model_fields or name in BaseTrainSettings.model_fields:
        return f"settings.{field}"
    return name.removesuffix("_id") if name.removesuffix("_id") in ROLES else field


def organisation_named(slug: str) -> Organisation:
    """The one that the configuration means; the only one where it names none. Raises InvalidInput."""
    found = list(
        Organisation.objects.filter(slug=slug) if slug else Organisation.objects.order_by("slug")[:20]
    )
    if len(found) == 1:
        return found[0]
    known = ", ".join(one.slug for one in Organisation.objects.order_by("slug")[:20]) or "none yet"
    told = f"there is no {slug!r}" if slug else "which one"
    raise InvalidInput.field("organisation", f"{told}: there are {known}")


def sources_of(config: Config, organisation: Organisation, folder: Path) -> Sources:
    """The data sets that it names; files are uploaded first. Raises InvalidInput naming the part."""
    found = {
        role: _dataset(role, text, config.task, organisation, folder)
        for role in ROLES
        if (text := getattr(config, role))
    }
    return Sources(**found, start_from=config.start_from if isinstance(config, AdaptConfig) else "")


def _dataset(role: str, text: str, task: str, organisation: Organisation, folder: Path) -> UUID:
    if "." in text or "/" in text:
        return _uploaded(role, folder / text, task, organisation)
    with tenant(organisation):
        found = Dataset.objects.filter(name=text, erased_at=None).order_by("-pk").first()
    if found is None:
        raise InvalidInput.field(role, f"there is no data set {text!r}")
    return found.pk


def _uploaded(role: str, path: Path, task: str, organisation: Organisation) -> UUID:
    name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:63]
    try:
        with path.open("rb") as stream:
            content = UploadedFile(stream, name=path.name, size=path.stat().st_size)
            row, _ = dataset_create(organisation=organisation, name=name, content=content, task=task)
    except OSError as error:
        raise InvalidInput.field(role, f"{path}: {error.strerror}") from None
    except DomainError as error:
        told = "; ".join(f"{one.field}: {one.reason}" for one in error.errors) or error.detail
        raise InvalidInput.field(role, f"{path.name}: {told}") from None
    return row.pk
