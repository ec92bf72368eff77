"""Forms of the webhook pages."""

from django import forms
from django.conf import settings

from rootstock.webhooks.models import EVERY_EVENT, TEST_EVENT

OVERLAPS = (("24", "for a day"), ("168", "for a week"), ("1", "for an hour"), ("0", "no longer"))
SINCE = (("1", "the last hour"), ("24", "the last day"), ("168", "the last week"), ("720", "the last month"))


class EndpointForm(forms.Form):
    """An endpoint."""

    url = forms.CharField(
        label="Address",
        max_length=1000,
        widget=forms.URLInput(attrs={"placeholder": "https://…", "autocomplete": "off"}),
        help_text="HTTPS, on the public internet; hosts inside your network are opened by the operator.",
    )
    description = forms.CharField(
        max_length=200, required=False, help_text="What receives it, for your colleagues."
    )
    events = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        events = self.fields["events"]
        if isinstance(events, forms.MultipleChoiceField):
            each = [
                (name, f"{text} ({name})")
                for name, text in settings.WEBHOOK_EVENTS.items()
                if name != TEST_EVENT
            ]
            events.choices = [(EVERY_EVENT, "Everything, also what is added later"), *each]


class RotateForm(forms.Form):
    """How long the secret before signs beside the new one."""

    overlap_hours = forms.TypedChoiceField(label="The old secret signs too", choices=OVERLAPS, coerce=int)


class ReplayForm(forms.Form):
    """From when on failed deliveries are sent again."""

    hours = forms.TypedChoiceField(label="Failed deliveries of", choices=SINCE, coerce=int)
