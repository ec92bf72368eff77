"""Forms of trainings."""

from collections.abc import Iterator, Sequence
from typing import Any

from django import forms
from pydantic import ValidationError

from rootstock.adaptation.fields import form_fields
from rootstock.adaptation.presets import PRESETS
from rootstock.adaptation.sources import Sources
from rootstock.adaptation.train_settings import GROUPS, TrainSettings, group_of
from rootstock.registry.models import AdapterVersion, Dataset

DATA = {
    "dataset_id": ("Data set", "What it learns.", ""),
    "evaluation_id": ("Evaluation set", "Decides which state is kept; it is not trained on.", "None"),
    "mix_id": ("Second data set", "Blended in over the training, as the data settings say.", "None"),
    "replay_id": ("Replayed data set", "Of what was learned before, against forgetting.", "None"),
}


class SettingsForm(forms.Form):
    """How to train: a field for each setting, by groups. `without` names settings that have no say here,
    `apart` those that the page shows elsewhere."""

    without: frozenset[str] = frozenset()
    apart: frozenset[str] = frozenset()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= {name: field for name, field in form_fields() if name not in self.without}
        self.settings = TrainSettings()

    def clean(self) -> dict[str, Any]:
        """The settings as a whole, with what does not go together beside its field."""
        given: dict[str, Any] = super().clean() or {}
        chosen = {name: given[name] for name in TrainSettings.model_fields if name in given}
        try:
            self.settings = TrainSettings.model_validate(chosen)
        except ValidationError as error:
            for found in error.errors(include_input=False, include_url=False):
                name = str(found["loc"][0]) if found["loc"] else None
                self.add_error(name if name in self.fields else None, found["msg"])
        return given

    @property
    def groups(self) -> Iterator[dict[str, Any]]:
        """The settings' fields by group; a group with an error is open."""
        for key, (title, told) in GROUPS.items():
            named = [
                name for name in TrainSettings.model_fields if name in self.fields and name not in self.apart
            ]
            fields = [self[name] for name in named if group_of(name) == key]
            wrong = any(field.errors for field in fields)
            yield {"key": key, "title": title, "told": told, "fields": fields, "open": wrong}


class TrainForm(SettingsForm):
    """What to train, on which data, and how."""

    name = forms.CharField(
        max_length=63,
        label="Name of the adapter",
        help_text="Small letters, digits and hyphens, such as support-tone. A new version of a name that is there.",
    )

    def __init__(
        self, *args: Any, datasets: Sequence[Dataset], versions: Sequence[AdapterVersion], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(one.pk), _dataset(one)) for one in datasets]
        for name, (label, told, none) in DATA.items():
            self.fields[name] = forms.ChoiceField(
                label=label, help_text=told, required=not none, choices=[("", none or "Choose"), *choices]
            )
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
        return [self[name] for name in ("start_from", "mix_id", "replay_id")]

    @property
    def further_open(self) -> bool:
        """Something is chosen there, or wrong."""
        return any(field.errors or field.value() for field in self.further)


def filled(given: Any, preset: str) -> dict[str, Any]:
    """What a form shows once a preset was chosen: what was chosen before it, and the preset's settings."""
    kept = {name: given.get(name, "") for name in given if name not in TrainSettings.model_fields}
    return kept | TrainSettings(**PRESETS[preset].settings).model_dump()


def _dataset(one: Dataset) -> str:
    return f"{one.name}, {one.rows:,} examples ({one.task})"
