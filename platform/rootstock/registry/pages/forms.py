"""Forms of the registry's pages."""

from typing import Any

from django import forms
from django.urls import reverse

from rootstock.registry.aliases import REASON_LIMIT
from rootstock.registry.models import AdapterVersion, Change, Dataset, Keep
from rootstock.registry.versions import DESCRIBED


class ProposalForm(forms.Form):
    """What an alias should serve, and why."""

    alias = forms.CharField(
        max_length=84,
        help_text="Such as support-tone:production. One that is not there yet is made by its first promotion.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "list": "known-aliases"}),
    )
    change = forms.ChoiceField(label="What", choices=Change.choices)
    share = forms.IntegerField(
        label="Share of the requests, in percent",
        required=False,
        min_value=1,
        max_value=99,
        help_text="For a canary or a comparison.",
    )
    reason = forms.CharField(
        max_length=REASON_LIMIT,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="For the second person, and for the record.",
    )

    def fields_given(self) -> dict[str, Any]:
        """As the service takes them."""
        given = dict(self.cleaned_data)
        given["share"] = (given["share"] or 0) / 100 if given["change"] != Change.SERVE else 1.0
        return given


class KeepForm(forms.Form):
    """Where workers keep a version."""

    keep = forms.ChoiceField(
        label="Workers keep it",
        choices=Keep.choices,
        required=False,
        help_text="What an alias serves is kept in memory anyway; anything else is freed once it is not kept.",
    )


class CardForm(forms.Form):
    """What people say of a version."""

    purpose = forms.CharField(required=False, max_length=DESCRIBED, widget=forms.Textarea(attrs={"rows": 3}))
    limits = forms.CharField(
        required=False,
        max_length=DESCRIBED,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Where it should not be used, and what it does badly.",
    )
    licence = forms.CharField(required=False, max_length=DESCRIBED)


class EvaluateForm(forms.Form):
    """A frozen test set to measure on."""

    dataset_id = forms.UUIDField(label="Test set")

    def __init__(self, *args: Any, test_sets: list[Dataset], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(one.pk), f"{one.name}, {one.rows:,} examples") for one in test_sets]
        self.fields["dataset_id"].widget = forms.Select(choices=choices)


class DatasetForm(forms.Form):
    """A file of examples."""

    name = forms.CharField(
        max_length=63, help_text="Small letters, digits and hyphens, such as desk-answers."
    )
    task = forms.ChoiceField(
        choices=[
            ("chat", "Chat or instructions"),
            ("classification", "Classification"),
            ("tagging", "Tagging"),
            ("preference", "Preference pairs"),
        ]
    )
    is_test = forms.BooleanField(
        label="A frozen test set",
        required=False,
        help_text="Adapters are measured on it, and none is trained on it.",
    )
    file = forms.FileField(label="File", help_text="JSON Lines, CSV in UTF-8, or Parquet; at most 16 MiB.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        looks = {
            "hx-post": reverse("dataset-preview"), "hx-trigger": "change", "hx-target": "#preview",
            "hx-encoding": "multipart/form-data",
        }  # fmt: skip
        for name in ("task", "file"):
            self.fields[name].widget.attrs |= looks


class CompareForm(forms.Form):
    """Two versions."""

    one = forms.ChoiceField(label="This version")
    other = forms.ChoiceField(label="Beside")

    def __init__(self, *args: Any, versions: list[AdapterVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "Choose"), *((str(one.pk), one.reference) for one in versions)]
        for name in ("one", "other"):
            self.fields[name] = forms.ChoiceField(label=self.fields[name].label, choices=choices)
