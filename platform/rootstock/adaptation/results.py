"""What a training leaves beside its adapter: its figures, step by step, as a file."""

import csv
from io import StringIO
from typing import Any

from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.services import RESULTS
from rootstock.jobs.handle import JobHandle
from rootstock.jobs.models import JobEvent

_STEP = ("loss", "learning_rate", "tokens_per_second")


def results_keep(job: JobHandle) -> None:
    """Keep the figures of every step and evaluation, a line each, as the job's file."""
    with tenant(job.organisation.pk):
        told = JobEvent.objects.filter(job_id=job.id, type__in=("step", "evaluation")).order_by("sequence")
        events = list(told.values_list("type", "data"))
    job.artefact(RESULTS, _written(events).encode(), "text/csv")


def _written(events: list[tuple[str, dict[str, Any]]]) -> str:
    """The last word on each step: where an attempt went back, it takes the place of what was lost."""
    rows: dict[int, dict[str, Any]] = {}
    for type, data in events:
        if data.get("step") is None:
            continue
        row = rows.setdefault(data["step"], {"step": data["step"]})
        if type == "step":
            row |= {f"train_{name}" if name == "loss" else name: data.get(name) for name in _STEP}
        else:
            row |= {f"valid_{name}": value for name, value in data["metrics"].items() if name != "score"}
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    text = StringIO()
    writer = csv.DictWriter(text, names or ["step"])
    writer.writeheader()
    writer.writerows(rows[step] for step in sorted(rows))
    return text.getvalue()
