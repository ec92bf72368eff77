"""Trainings beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rootstock.accounts.models import Organisation
from rootstock.adaptation import selectors
from rootstock.adaptation.charts import compared
from rootstock.adaptation.words import (
    Source,
    came_out,
    figure_title,
    figure_words,
    setting_title,
    setting_words,
    sources_told,
)
from rootstock.console import formats
from rootstock.console.charts import Chart
from rootstock.jobs.models import Job
from rootstock.jobs.pages import JobPage
from rootstock.jobs.selectors import job_curve
from rootstock.registry.datasets.uses import ROLES

MOST_RUNS = 6
POINTS = 200
MOST_EVALUATIONS = 400


@dataclass(slots=True, frozen=True)
class Run:
    """One training of a comparison. `number` tells runs of one name apart."""

    number: int
    job: Job
    sources: list[Source]
    steps: list[dict[str, Any]]
    evaluations: list[dict[str, Any]]
    metrics: dict[str, float]

    @property
    def title(self) -> str:
        """Its place and its adapter's name."""
        return f"{self.number} {self.job.params.get('name', '')}"

    @property
    def state(self) -> str:
        """The job's."""
        return JobPage(self.job).state

    @property
    def reference(self) -> str:
        """The version that came out."""
        return came_out(self.job)


def runs_of(organisation: Organisation, jobs: Sequence[Job]) -> list[Run]:
    """The jobs with what they told."""
    ids = [id for job in jobs for role in ROLES if (id := job.params.get(role))]
    named = selectors.datasets_named(organisation=organisation, ids=ids)
    return [_run(number, job, sources_told(job, named)) for number, job in enumerate(jobs, start=1)]


def _run(number: int, job: Job, sources: list[Source]) -> Run:
    told = selectors.told_of(job=job, type="evaluation", most=MOST_EVALUATIONS)
    trained = selectors.told_of(job=job, type="trained", most=1)
    return Run(
        number,
        job,
        sources,
        job_curve(job=job, points=POINTS),
        [event.data for event in told if event.data.get("step") is not None],
        trained[0].data.get("metrics", {}) if trained else {},
    )


def curves_of(runs: Sequence[Run]) -> list[Chart]:
    """Training loss, and every figure of the evaluations that at least one of them has."""
    names = sorted({name for run in runs for one in run.evaluations for name in one["metrics"]} - {"score"})
    found = [_chart(runs, "loss", "Training loss", lambda run: [(one, one.get("loss")) for one in run.steps])]
    for name in names:
        title = f"Evaluation: {figure_title(name).lower()}"
        found.append(
            _chart(
                runs,
                f"evaluation-{name}",
                title,
                lambda run, name=name: [(one, one["metrics"].get(name)) for one in run.evaluations],
            )
        )
    return [chart for chart in found if chart]


def _chart(runs: Sequence[Run], id: str, title: str, values: Any) -> Chart | None:
    lines = [
        (run.title, [{"step": one["step"], "value": value} for one, value in values(run)]) for run in runs
    ]
    return compared(lines, id, title)


def differences(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """What the runs were asked differently: a title, and each run's value."""
    asked = [{one.label: one.words for one in run.sources} | _settings(run.job) for run in runs]
    titles = list(dict.fromkeys(title for one in asked for title in one))
    rows = [(title, [one.get(title, formats.NONE) for one in asked]) for title in titles]
    return [row for row in rows if len(set(row[1])) > 1]


def _settings(job: Job) -> dict[str, str]:
    return {
        setting_title(name): setting_words(value, name)
        for name, value in job.params.get("settings", {}).items()
    }


def figures_of(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """How each ended: a title, and each run's figure."""
    names = sorted({name for run in runs for name in run.metrics})
    rows = [
        ("Steps", [f"{run.job.done:,}" for run in runs]),
        ("Last training loss", [_last(run, "loss") for run in runs]),
        ("Time", [formats.NONE if (s := _seconds(run)) is None else formats.span(s) for run in runs]),
    ]
    return rows + [
        (figure_title(name), [figure_words(run.metrics.get(name)) for run in runs]) for name in names
    ]


def _last(run: Run, name: str) -> str:
    return figure_words(run.steps[-1].get(name) if run.steps else None)


def _seconds(run: Run) -> float | None:
    told = (run.job.result or {}).get("seconds")
    return told if told is not None else JobPage(run.job).took_s
