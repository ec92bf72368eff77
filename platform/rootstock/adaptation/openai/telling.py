"""Trainings, their events and what they kept, in OpenAI's words."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation import selectors
from rootstock.adaptation.models import FineTuning
from rootstock.adaptation.openai import ids
from rootstock.adaptation.openai.asking import defaults_of
from rootstock.adaptation.services import RESULTS
from rootstock.adaptation.train_settings import TrainSettings
from rootstock.jobs.models import Job, JobArtefact, JobEvent
from rootstock.registry.models import Dataset

BASE = "base"
_LEVELS = {
    "warning": "warn",
    "retry_scheduled": "warn",
    "cancel_requested": "warn",
    "attempt_failed": "error",
}
_METRICS = {
    "loss": "valid_loss", "perplexity": "valid_perplexity", "accuracy": "valid_accuracy",
}  # fmt: skip


def jobs_told(organisation: Organisation, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """The jobs, with three queries for all of them."""
    datasets = selectors.datasets_named(
        organisation=organisation,
        ids=[job.params.get("dataset", "") for job in jobs if job.params.get("dataset")],
    )
    with tenant(organisation):
        asked = {one.job_id: one for one in FineTuning.objects.filter(job__in=jobs)}
        results = JobArtefact.objects.filter(job__in=jobs, name=RESULTS).exclude(path="")
        kept = {one.job_id: one.pk for one in results}
    return [
        _job(job, asked.get(job.pk), datasets.get(job.params.get("dataset", "")), kept.get(job.pk))
        for job in jobs
    ]


def _job(job: Job, asked: FineTuning | None, dataset: Dataset | None, results: UUID | None) -> dict[str, Any]:
    settings = TrainSettings.model_validate(job.params.get("settings", {}))
    words = asked.asked if asked else {}
    hyperparameters = _hyperparameters(settings)
    method = "dpo" if settings.method == "dpo" else "supervised"
    return {
        "id": ids.told(ids.JOB, job.pk),
        "created_at": _moment(job.created_at),
        "finished_at": _moment(job.finished_at) if job.finished_at else None,
        "estimated_finish": _moment(timezone.now() + timedelta(seconds=job.eta_s)) if job.eta_s else None,
        "model": words.get("model") or job.params.get("start_from") or BASE,
        "fine_tuned_model": (job.result or {}).get("adapter"),
        "organization_id": str(job.organisation_id),
        "status": job.state,
        "error": _problem(job.error) if job.state == "failed" and job.error else None,
        "training_file": _file(asked.training_file if asked else dataset.file_id if dataset else None),
        "validation_file": _file(asked.validation_file) or None if asked else None,
        "result_files": [ids.told(ids.FILE, results)] if results else [],
        "hyperparameters": hyperparameters,
        "method": {"type": method, method: {"hyperparameters": hyperparameters}},
        "seed": settings.seed,
        "trained_tokens": None,
        "metadata": words.get("metadata"),
    }


def _hyperparameters(settings: TrainSettings) -> dict[str, Any]:
    """As they were taken; what was `auto` by its value."""
    epochs, is_dpo = settings.epochs, settings.method == "dpo"
    return {
        "n_epochs": int(epochs) if epochs.is_integer() else epochs,
        "batch_size": settings.batch_size,
        "learning_rate_multiplier": round(settings.learning_rate / defaults_of(is_dpo).learning_rate, 6),
        **({"beta": settings.beta} if is_dpo else {}),
    }


def _file(id: UUID | None) -> str:
    return ids.told(ids.FILE, id) if id else ""


def _moment(at: datetime) -> int:
    return int(at.timestamp())


def _problem(error: dict[str, Any]) -> dict[str, Any]:
    errors = error.get("errors") or []
    return {
        "code": error["code"], "message": error["detail"], "param": errors[0]["field"] if errors else None,
    }  # fmt: skip


def event_told(event: JobEvent) -> dict[str, Any]:
    """One event; steps and evaluations are metrics."""
    data, figures = event.data, metrics_of(event)
    return {
        "id": ids.told(ids.EVENT, event.pk),
        "created_at": _moment(event.at),
        "level": "error" if data.get("state") == "failed" else _LEVELS.get(event.type, "info"),
        "type": "metrics" if figures else "message",
        "message": _message(event, figures),
        "data": figures,
    }


def metrics_of(event: JobEvent) -> dict[str, float]:
    """A step's or an evaluation's figures under OpenAI's names; empty for other events."""
    data = event.data
    if event.type == "step":
        found = {"train_loss": data.get("loss"), "learning_rate": data.get("learning_rate")}
    elif event.type == "evaluation":
        found = {
            _METRICS.get(name, name): value for name, value in data["metrics"].items() if name != "score"
        }
    else:
        return {}
    told = {"step": data.get("step"), "total_steps": data.get("steps"), **found}
    return {name: value for name, value in told.items() if value is not None}


def _message(event: JobEvent, figures: dict[str, float]) -> str:
    data = event.data
    if figures:
        told = (
            f"{name}={value:.4g}" for name, value in figures.items() if name not in ("step", "total_steps")
        )
        return f"Step {data.get('step')}/{data.get('steps')}: {', '.join(told)}"
    if event.type in ("log", "warning"):
        return str(data.get("text", ""))
    if event.type == "done":
        return f"The job has {'been ' if data['state'] == 'cancelled' else ''}{data['state']}"
    if event.type == "attempt_failed":
        return f"Attempt {data['attempt']} failed: {data['detail']}"
    if event.type == "sample":
        return f"Step {data['step']}/{data['steps']}: answer to question {data['prompt']}: {data['text']}"
    if event.type == "artefact":
        return f"{data['name']} is kept"
    words = {"started": "The job has started", "trained": "The adapter is trained"}
    return words.get(event.type, event.type.replace("_", " ").capitalize())


def checkpoint_told(job: Job) -> dict[str, Any] | None:
    """The state that was kept, as a model; None before the training has succeeded."""
    reference = (job.result or {}).get("adapter")
    if not reference:
        return None
    evaluations = selectors.told_of(job=job, type="evaluation", most=1000)
    trained = selectors.told_of(job=job, type="trained", most=1)
    best = next((one for one in reversed(evaluations) if one.data.get("best")), None)
    kept = best or trained[0]
    figures = metrics_of(kept) if best else {"step": trained[0].data["step"]}
    return {
        "id": ids.told(ids.CHECKPOINT, kept.pk),
        "created_at": _moment(kept.at),
        "fine_tuned_model_checkpoint": reference,
        "fine_tuning_job_id": ids.told(ids.JOB, job.pk),
        "step_number": int(figures.get("step", 0)),
        "metrics": {name: value for name, value in figures.items() if name != "total_steps"},
    }
