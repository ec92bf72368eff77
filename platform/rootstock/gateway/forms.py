"""Forms of budgets and usage."""

from django import forms

PERIODS = [(7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "a year")]


class BudgetForm(forms.Form):
    """The organisation's limits."""

    tokens_per_day = forms.IntegerField(
        label="Tokens a day", required=False, min_value=0, help_text="Read and written; empty for no limit."
    )
    tokens_per_month = forms.IntegerField(
        label="Tokens a month", required=False, min_value=0, help_text="Empty for no limit."
    )
    streams = forms.IntegerField(
        label="Answers at once", required=False, min_value=1, help_text="Empty: as the installation says."
    )


class PeriodForm(forms.Form):
    """How far back usage is shown."""

    days = forms.TypedChoiceField(label="Shown", choices=PERIODS, coerce=int)
