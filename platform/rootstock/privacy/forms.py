"""Forms of the privacy pages."""

from typing import Any

from django import forms

from rootstock.privacy.models import Action, Ground
from rootstock.privacy.retention import LEAST_DAYS, MOST_DAYS


class FindForm(forms.Form):
    """Whom to look for."""

    reference = forms.CharField(
        max_length=400,
        help_text="In full: an account's number, a record number, a customer's reference. It is sent in the "
        "request's body and kept nowhere.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class RequestForm(forms.Form):
    """A request about a person."""

    action = forms.ChoiceField(
        label="What",
        choices=[(Action.EXPORT, "Export everything held"), (Action.ERASE, "Erase everything held")],
    )
    ground = forms.ChoiceField(label="Why", choices=Ground.choices)
    note = forms.CharField(
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For your own file. It is encrypted under the person's key, and goes with it.",
    )


class HoldForm(forms.Form):
    """Why nothing may be deleted."""

    reason = forms.CharField(max_length=500, help_text="Encrypted under the person's key.")


class RuleForm(forms.Form):
    """For how long a kind of data is kept."""

    days = forms.IntegerField(
        label="Days",
        required=False,
        min_value=LEAST_DAYS,
        max_value=MOST_DAYS,
        help_text="Empty: kept for good.",
    )

    def __init__(self, *args: Any, label: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["days"].label = label or "Days"


class SettingsForm(forms.Form):
    """How requests are handled."""

    four_eyes = forms.BooleanField(
        label="An erasure is confirmed by a second person",
        required=False,
        help_text="Only an administrator can switch it off, and only for requests made from then on.",
    )
    archive_days = forms.IntegerField(
        label="Days until an export's archive is deleted", min_value=1, max_value=90
    )
