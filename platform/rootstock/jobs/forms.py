"""Forms about jobs."""

from typing import Any, cast

from django import forms

from rootstock.console import formats
from rootstock.jobs.models import Job

EVERY = [(3600, "Every hour"), (21600, "Every 6 hours"), (86400, "Every 24 hours"), (604800, "Every 7 days")]
CRON = "cron"


class ScheduleForm(forms.Form):
    """Repeat an earlier job by the clock."""

    name = forms.CharField(max_length=80, label="Name", help_text="What it is for, such as Nightly training.")
    job = forms.ChoiceField(
        label="Job to repeat",
        help_text="Its kind and parameters are taken over; the job itself stays as it is.",
    )
    times = forms.ChoiceField(
        label="Runs", choices=[*((str(s), label) for s, label in EVERY), (CRON, "By a cron pattern")]
    )
    cron = forms.CharField(
        max_length=120,
        required=False,
        label="Cron pattern",
        help_text="Minute, hour, day of month, month, day of week: 0 3 * * 1-5 is 03:00 from Monday to Friday.",
    )
    timezone = forms.CharField(
        max_length=64, initial="UTC", label="Time zone", help_text="Such as Europe/Berlin."
    )

    def __init__(self, jobs: list[Job], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._jobs = {str(job.pk): job for job in jobs}
        choice = cast(forms.ChoiceField, self.fields["job"])
        choice.choices = [(pk, _title(job)) for pk, job in self._jobs.items()]

    def clean(self) -> dict[str, Any]:
        """Cron needs its pattern."""
        given: dict[str, Any] = super().clean() or {}
        if given.get("times") == CRON and not given.get("cron"):
            self.add_error("cron", "Give a pattern, or choose an interval.")
        return given

    def wanted(self) -> dict[str, Any]:
        """As `schedule_create` takes it."""
        given, by_cron = self.cleaned_data, self.cleaned_data["times"] == CRON
        job = self._jobs[given["job"]]
        return {
            "name": given["name"], "kind": job.kind, "params": job.params, "timezone": given["timezone"],
            "cron": given["cron"] if by_cron else "", "every_s": None if by_cron else int(given["times"]),
        }  # fmt: skip


def _title(job: Job) -> str:
    name = job.params.get("name") or str(job.pk)[-12:]
    return f"{name}, {formats.moment(job.created_at)} UTC"
