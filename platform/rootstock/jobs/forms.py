"""Forms about jobs."""

import json
from typing import Any, cast

from django import forms

from rootstock.console import formats
from rootstock.errors import InvalidInput
from rootstock.jobs.cron import in_words
from rootstock.jobs.models import Job, JobSchedule, Priority
from rootstock.jobs.retry import kind_of
from rootstock.jobs.schedules import params_checked

EVERY = [(3600, "Every hour"), (21600, "Every 6 hours"), (86400, "Every 24 hours"), (604800, "Every 7 days")]
CRON = "cron"
TIMES = [*((str(seconds), label) for seconds, label in EVERY), (CRON, "By a cron pattern")]


class TimesForm(forms.Form):
    """When a schedule runs, and how urgent its jobs are."""

    name = forms.CharField(max_length=80, label="Name", help_text="What it is for, such as Nightly training.")
    times = forms.ChoiceField(label="Runs", choices=TIMES)
    cron = forms.CharField(
        max_length=120,
        required=False,
        label="Cron pattern",
        help_text="Minute, hour, day of month, month, day of week: 0 3 * * 1-5 is 03:00 from Monday to Friday.",
    )
    timezone = forms.CharField(
        max_length=64, initial="UTC", label="Time zone", help_text="Such as Europe/Berlin."
    )
    priority = forms.ChoiceField(
        choices=Priority.choices, initial=Priority.BULK, label="Priority",
        help_text="Who goes first when workers are busy.",
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """Cron needs its pattern."""
        given: dict[str, Any] = super().clean() or {}
        if given.get("times") == CRON and not given.get("cron"):
            self.add_error("cron", "Give a pattern, or choose an interval.")
        return given

    def wanted(self) -> dict[str, Any]:
        """As the services take it."""
        given, by_cron = self.cleaned_data, self.cleaned_data["times"] == CRON
        return {
            "name": given["name"], "timezone": given["timezone"], "priority": int(given["priority"]),
            "cron": given["cron"] if by_cron else "", "every_s": None if by_cron else int(given["times"]),
        }  # fmt: skip


class ScheduleForm(TimesForm):
    """Start a kind of job by the clock: one that needs no parameters, or an earlier one again."""

    job = forms.ChoiceField(
        label="What to run",
        help_text="Of an earlier job, its kind and parameters are taken over; it stays as it is.",
    )
    field_order = ("name", "job")

    def __init__(self, kinds: list[str], jobs: list[Job], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._what: dict[str, tuple[str, dict[str, Any]]] = {kind: (kind, {}) for kind in kinds}
        self._what |= {str(job.pk): (job.kind, job.params) for job in jobs}
        choice = cast(forms.ChoiceField, self.fields["job"])
        alone = [(kind, kind_of(kind).label) for kind in kinds]
        choice.choices = [*alone, *((str(job.pk), _title(job)) for job in jobs)]

    @property
    def offered(self) -> bool:
        """There is something to choose."""
        return bool(self._what)

    def wanted(self) -> dict[str, Any]:
        """As `schedule_create` takes it."""
        kind, params = self._what[self.cleaned_data["job"]]
        return {**super().wanted(), "kind": kind, "params": params}


class ParamsField(forms.JSONField):
    """JSON, a line for each value."""

    def prepare_value(self, value: Any) -> Any:
        """What the text area shows."""
        shown = super().prepare_value(value)
        return shown if value is shown else json.dumps(value, indent=2, ensure_ascii=False)


class ScheduleChangeForm(TimesForm):
    """Change a schedule."""

    params = ParamsField(label="Parameters", widget=forms.Textarea(attrs={"rows": 8, "class": "mono"}))
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, schedule: JobSchedule, data: Any = None) -> None:
        times = str(schedule.every_s or CRON)
        shown = {
            name: getattr(schedule, name) for name in ("name", "cron", "timezone", "priority", "version")
        }
        super().__init__(data, initial={**shown, "times": times, "params": schedule.params})
        self._kind = schedule.kind
        choice = cast(forms.ChoiceField, self.fields["times"])
        if schedule.every_s and schedule.every_s not in dict(EVERY):
            choice.choices = [(times, f"{in_words(schedule)}, as now"), *TIMES]

    def clean_params(self) -> dict[str, Any]:
        """What the kind of job takes, with the path of whatever is wrong."""
        try:
            return params_checked(self._kind, self.cleaned_data["params"])
        except InvalidInput as error:
            told = [f"{one.field.removeprefix('params.')}: {one.reason}" for one in error.errors]
            raise forms.ValidationError(told) from None

    def wanted(self) -> dict[str, Any]:
        """As `schedule_update` takes it."""
        given = self.cleaned_data
        return {**super().wanted(), "params": given["params"], "version": given["version"]}


def _title(job: Job) -> str:
    name = job.params.get("name") or str(job.pk)[-12:]
    return f"{kind_of(job.kind).label}: {name}, {formats.moment(job.created_at)} UTC"
