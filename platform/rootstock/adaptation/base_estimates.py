"""What the training of a base will take: tokens, steps, seconds and memory of all its stages, and what there is room
for. The memory is reckoned as the training itself reckons it before it loads anything."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from django.conf import settings as site

from models_zoo.llm.adapter_files import TARGETS, target_shape
from models_zoo.llm.card import BaseConfig
from models_zoo.llm.training.bases.memory import Need, need_of, total_bytes
from models_zoo.llm.training.bases.spec import BaseSpec, layers_of_student
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.base_settings import BaseTrainSettings
from rootstock.adaptation.sources import Loaded
from rootstock.jobs.models import JobEvent
from rootstock.registry.base_shapes import BaseShape
from rootstock.registry.datasets.estimating import Estimate, Plan, plan_of
from rootstock.registry.datasets.report import Report
from rootstock.registry.datasets.reporting import report_of
from rootstock.registry.datasets.uses import ROLES
from rootstock.registry.models import Dataset, TrainedBase

LOOKED_AT = 8  # finished trainings
STAGES = {"full": ("epochs",), "distil": ("feature_epochs", "attention_epochs", "epochs")}


@dataclass(slots=True, frozen=True)
class Floats:
    """A kind of device at float32: multiplications and additions a second (of a thread, on a CPU), seconds that an
    update takes of each number, seconds to begin and to quantize and measure at the end, of each number too; how far
    off a guess may be."""

    work: float
    update_s: float
    start_s: float
    end_s: float
    off: float


FLOATS = {"cpu": Floats(3.0e10, 2e-9, 12.0, 2e-7, 3.0), "cuda": Floats(2.5e13, 2e-11, 30.0, 5e-8, 5.0)}


@dataclass(slots=True, frozen=True)
class BaseEstimate(Estimate):
    """parameters: numbers that learn. room_bytes: the most memory that the training may have; None: that shows on the
    device alone."""

    parameters: int
    room_bytes: int | None


def device() -> str:
    """What trainings of this installation run on."""
    return "cuda" if os.environ.get("ROOTSTOCK_DEVICE", "cpu").startswith("cuda") else "cpu"


def room_bytes() -> int | None:
    """The most memory that a training may have here; None where only the device knows."""
    if site.TRAIN_BYTES:
        return int(site.TRAIN_BYTES)
    return total_bytes() if device() == "cpu" else None


def need(settings: BaseTrainSettings, shape: BaseShape) -> Need:
    """The memory of each process at its peak."""
    return need_of(_spec(settings), shape.card, shape.tied, site.TRAIN_PROCESSES)


def base_estimate(
    *, organisation: Organisation, loaded: Loaded, settings: BaseTrainSettings, shape: BaseShape
) -> BaseEstimate | None:
    """Of these data sets with these settings; None while one of them has no report yet."""
    reports = _reports(loaded.datasets)
    if reports is None:
        return None
    plans, wanted = _plans(settings, reports), need(settings, shape)
    ratios = _ratios(organisation, shape)
    kind, factor = FLOATS[device()], median(ratios) if ratios else 1.0
    off = max(1.3, *(max(one / factor, factor / one) for one in ratios)) if ratios else kind.off
    seconds = factor * _seconds(settings, shape, plans)
    return BaseEstimate(
        examples=plans[-1].rows,
        tokens=round(sum(plan.tokens for plan in plans)),
        steps=sum(plan.steps for plan in plans),
        seconds=seconds,
        low=seconds / off,
        high=seconds * off,
        peak_bytes=wanted.total,
        shared_bytes=0,
        measured=len(ratios),
        parameters=wanted.parameters,
        room_bytes=room_bytes(),
    )


def _reports(datasets: Mapping[str, Dataset]) -> dict[str, Report] | None:
    found = {role: report_of(row) for role, row in datasets.items()}
    known = {role: report for role, report in found.items() if report and report.tokens}
    return known if len(known) == len(found) else None


def _plans(settings: BaseTrainSettings, reports: Mapping[str, Report]) -> list[Plan]:
    """Of each stage."""
    told = settings.model_dump()
    return [plan_of(told | {"epochs": told[name]}, reports) for name in STAGES[settings.recipe]]


def _seconds(settings: BaseTrainSettings, shape: BaseShape, plans: Sequence[Plan]) -> float:
    """From the work alone: there, and back at twice the price, of what learns; there, of a teacher."""
    kind, config = FLOATS[device()], shape.card.config
    layers = layers_of_student(_spec(settings), shape.card)
    student, teacher = _layers_work(config, layers), 0.0
    if settings.recipe == "distil":
        teacher = _layers_work(config, config.layers)
    head = 2.0 * config.vocabulary * config.hidden_size
    again = 1 if need(settings, shape).again else 0
    work = sum(
        plan.tokens * ((3 + again) * student + teacher) + plan.evaluated * (student + teacher)
        for plan in plans
    )
    work += plans[-1].learned * head * (3 if settings.recipe == "full" else 4) + plans[-1].evaluated * head
    numbers = need(settings, shape).parameters
    steps = sum(plan.steps for plan in plans)
    threads = (
        1 if device() == "cuda" else int(os.environ.get("ROOTSTOCK_THREADS", "0")) or os.cpu_count() or 1
    )
    computed = work / (kind.work * threads * site.TRAIN_PROCESSES)
    return kind.start_s + computed + numbers * (steps * kind.update_s + kind.end_s)


def _spec(settings: BaseTrainSettings) -> BaseSpec:
    """As far as memory and shape go."""
    nowhere, told = Path(), settings.model_dump()
    about = {
        name: told[name] for name in ("recipe", "student_layers", "batch_size", "max_tokens", "recompute")
    }
    return BaseSpec(nowhere, nowhere, "", "chat", nowhere, device=device(), **about)


def _layers_work(config: BaseConfig, layers: int) -> float:
    """Multiplications and additions of a token on its way through."""
    return (
        2.0 * layers * sum(out * columns for out, columns in (target_shape(config, one) for one in TARGETS))
    )


def _ratios(organisation: Organisation, shape: BaseShape) -> list[float]:
    """Of finished trainings from this base: what they took, by what the work alone says."""
    with tenant(organisation):
        made = TrainedBase.objects.filter(parent__fingerprint=shape.card.fingerprint).exclude(job=None)
        told = made.order_by("-pk").values_list("job", "job__params")[:LOOKED_AT]
        jobs: dict[UUID, dict[str, Any]] = dict(told)
        ended = JobEvent.objects.filter(job__in=list(jobs), type="trained").values_list("job", "data")
        took = {job: data.get("seconds") for job, data in ended}
        named = {id for params in jobs.values() for role in ROLES if (id := params.get(role))}
        rows = {str(row.pk): row for row in Dataset.objects.filter(pk__in=named)}
    found = (_ratio(params, took.get(job), rows, shape) for job, params in jobs.items())
    return [ratio for ratio in found if ratio is not None]


def _ratio(
    params: Mapping[str, Any], seconds: float | None, rows: Mapping[str, Dataset], shape: BaseShape
) -> float | None:
    sets = {role: rows[id] for role in ROLES if (id := params.get(role)) and id in rows}
    reports = _reports(sets)
    if not seconds or not reports or "dataset" not in reports:
        return None
    settings = BaseTrainSettings.model_validate(params["settings"])
    return seconds / _seconds(settings, shape, _plans(settings, reports))
