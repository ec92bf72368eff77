"""Forms of trainings."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django import forms
from django.template.defaultfilters import pluralize
from pydantic import ValidationError

from rootstock.adaptation.base_settings import BaseTrainSettings
from rootstock.adaptation.common_settings import CommonSettings
from rootstock.adaptation.fields import form_fields
from rootstock.adaptation.presets import BASE_PRESETS, PRESETS, Preset
from rootstock.adaptation.sources import Sources
from rootstock.adaptation.train_settings import TrainSettings
from rootstock.registry.models import AdapterVersion, Dataset, TrainedBase

DATA = {
    "dataset_id": ("Data set", "What it learns.", ""),
    "evaluation_id": ("Evaluation set", "Decides which state is kept; it is not trained on.", "None"),
    "mix_id": ("Second data set", "Blended in over the training, as the data settings say.", "None"),
    "replay_id": ("Replayed data set", "Of what was learned before, against forgetting.", "None"),
}


class SettingsForm(forms.Form):
    """How to train: a field for each setting of `model`, by groups. `without` names settings that have no say here,
    `apart` those that the page shows elsewhere."""

    model: type[CommonSettings] = TrainSettings
    without: frozenset[str] = frozenset()
    apart: frozenset[str] = frozenset()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= {name: field for name, field in form_fields(self.model) if name not in self.without}
        self.settings: Any = self.model()

    def clean(self) -> dict[str, Any]:
        """The settings as a whole, with what does not go together beside its field."""
        given: dict[str, Any] = super().clean() or {}
        chosen = {name: given[name] for name in self.model.model_fields if name in given}
        try:
            self.settings = self.model.model_validate(chosen)
        except ValidationError as error:
            for found in error.errors(include_input=False, include_url=False):
                name = str(found["loc"][0]) if found["loc"] else None
                self.add_error(name if name in self.fields else None, found["msg"])
        return given

    @property
    def groups(self) -> Iterator[dict[str, Any]]:
        """The settings' fields by group; a group with an error is open."""
        for key, (title, told) in self.model.groups.items():
            named = [
                name for name in self.model.model_fields if name in self.fields and name not in self.apart
            ]
            fields = [self[name] for name in named if self.model.group_of(name) == key]
            wrong = any(field.errors for field in fields)
            yield {"key": key, "title": title, "told": told, "fields": fields, "open": wrong}


class TrainingForm(SettingsForm):
    """What to train, on which data, and how. origin: the field that says what it goes on from."""

    presets: Mapping[str, Preset] = PRESETS
    origin: str
    required: frozenset[str] = frozenset({"dataset_id"})

    def __init__(self, *args: Any, datasets: Sequence[Dataset], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(one.pk), dataset_choice(one)) for one in datasets]
        for name, (label, told, none) in DATA.items():
            required = name in self.required
            self.fields[name] = forms.ChoiceField(
                label=label, help_text=told, required=required,
                choices=[("", "Choose" if required else none), *choices],
            )  # fmt: skip

    @property
    def sources(self) -> Sources:
        """What to learn from."""
        return Sources.of_fields(self.cleaned_data)

    @property
    def what(self) -> list[forms.BoundField]:
        """What is to be said of every training."""
        return [self[name] for name in ("name", "dataset_id", "evaluation_id")]

    @property
    def further(self) -> list[forms.BoundField]:
        """What it may learn from beside."""
        return [self[name] for name in (self.origin, "mix_id", "replay_id")]

    @property
    def further_open(self) -> bool:
        """Something is chosen there, or wrong."""
        return any(field.errors or field.value() for field in self.further)

    @classmethod
    def filled(cls, given: Any, preset: str) -> dict[str, Any]:
        """What the form shows once a preset was chosen: what was chosen before it, and the preset's settings."""
        kept = {name: given.get(name, "") for name in given if name not in cls.model.model_fields}
        return kept | cls.model(**cls.presets[preset].settings).model_dump()


class TrainForm(TrainingForm):
    """An adapter's."""

    origin = "start_from"
    name = forms.CharField(
        max_length=63,
        label="Name of the adapter",
        help_text="Small letters, digits and hyphens, such as support-tone. A new version of a name that is there.",
    )

    def __init__(self, *args: Any, versions: Sequence[AdapterVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["start_from"] = forms.ChoiceField(
            label="Goes on from",
            help_text="A version whose rank, strength and layers are taken over.",
            required=False,
            choices=[
                ("", "The base alone"),
                *((one.reference, f"{one.reference} ({one.task})") for one in versions),
            ],
        )
        self.order_fields(["name", *DATA, "start_from"])


class BaseForm(TrainingForm):
    """A base's."""

    model = BaseTrainSettings
    presets = BASE_PRESETS
    origin = "base"
    required = frozenset({"dataset_id", "evaluation_id"})
    name = forms.CharField(
        max_length=63,
        label="Name of the base",
        help_text="Small letters, digits and hyphens, such as desk-base.",
    )

    def __init__(self, *args: Any, bases: Sequence[TrainedBase], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["base"] = forms.ChoiceField(
            label="Goes on from",
            help_text="The base that is serving, or one that was trained here.",
            required=False,
            choices=[("", "The served base"), *((one.reference, one.reference) for one in bases)],
        )
        self.order_fields(["name", *DATA, "base"])


def dataset_choice(one: Dataset) -> str:
    """A data set among others to choose from."""
    return f"{one.name}, {one.rows:,} example{pluralize(one.rows)} ({one.task})"
