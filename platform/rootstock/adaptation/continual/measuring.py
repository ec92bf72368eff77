"""Both versions on every test set: what was measured before is taken, for the rest there are jobs."""

from typing import Any, Literal

from rootstock.adaptation.continual.models import ContinualMeasure, ContinualRun
from rootstock.adaptation.continual.training import job_told, maker_of
from rootstock.jobs.models import Job, JobState
from rootstock.registry.evaluation import evaluation_start
from rootstock.registry.models import AdapterVersion, Evaluation

# The figure of each task that versions are compared by: the first of those that an evaluation gives.
FIGURES = {"chat": "rouge_l", "classification": "macro_f1", "tagging": "entity_f1"}
Side = Literal["before", "after"]
SIDES: tuple[Side, ...] = ("before", "after")


def measures_begin(run: ContinualRun) -> None:
    """A row for each test set, and the jobs that fill it. Inside the transaction that holds the run."""
    terms = run.said
    for pk in terms.measured_on:
        measure = ContinualMeasure(
            organisation_id=run.organisation_id, run=run, dataset_id=pk, is_guard=pk != terms.test_set,
            figure=FIGURES[_version(run, "after").task],
        )  # fmt: skip
        for side in SIDES:
            _known_or_begun(run, measure, side)
        measure.save(force_insert=True)


def measures_read(run: ContinualRun) -> tuple[bool, str]:
    """Whether every figure is there, and why one will never be. Inside the transaction that holds the run."""
    complete = True
    for measure in run.measures.select_related("dataset", "before_job", "after_job").order_by("pk"):
        for side in SIDES:
            if getattr(measure, side) is None and (why := _read(measure, side)):
                return False, why
        measure.save(update_fields=SIDES)
        complete = complete and measure.difference is not None
    return complete, ""


def _known_or_begun(run: ContinualRun, measure: ContinualMeasure, side: Side) -> None:
    version = _version(run, side)
    known = Evaluation.objects.filter(version=version, dataset_id=measure.dataset_id).order_by("-pk").first()
    if known and (value := _figure(known.metrics, measure.figure)) is not None:
        setattr(measure, side, value)
        return
    job = evaluation_start(
        organisation=run.organisation,
        reference=version.reference,
        dataset_id=measure.dataset_id,
        created_by=maker_of(run),
    )
    setattr(measure, f"{side}_job", job)


def _read(measure: ContinualMeasure, side: Side) -> str:
    """Take over what the job has found; why there will be nothing."""
    what = f"the evaluation on {measure.dataset.name}"
    job: Job | None = getattr(measure, f"{side}_job")
    if job is None:
        return f"{what} is no longer on record"
    if not job.is_final:
        return ""
    if job.state != JobState.SUCCEEDED:
        return job_told(what, job)
    value = _figure((job.result or {}).get("metrics", {}), measure.figure)
    setattr(measure, side, value)
    return "" if value is not None else f"{what} gave no {measure.figure}"


def _version(run: ContinualRun, side: Side) -> AdapterVersion:
    version = run.production if side == "before" else run.version
    if version is None:
        raise ValueError("a run measures what served and what came out")
    return version


def _figure(metrics: dict[str, Any], name: str) -> float | None:
    value = metrics.get(name)
    return float(value) if isinstance(value, int | float) else None
