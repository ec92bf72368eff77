"""What a training will take, before it is started: tokens, steps, seconds, memory.

Seconds come from a model of the work, corrected by what finished trainings of this organisation on the served base
really took; where there are none, by constants (`tests/bench/estimate.py` says how right they were).
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Literal

from models_zoo.llm.card import BaseCard
from models_zoo.llm.training import kept
from models_zoo.llm.training.kept import Adapted
from models_zoo.llm.training.spec import ALL_TARGETS
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Unavailable
from rootstock.jobs.models import Job, JobEvent, JobState
from rootstock.registry.base import base_card
from rootstock.registry.datasets.report import Report
from rootstock.registry.datasets.reporting import report_of
from rootstock.registry.datasets.uses import ROLES, TRAINING
from rootstock.registry.models import Dataset

LOOKED_AT = 8  # finished trainings
PACKED_FULL = 0.92  # of a packed row
ITEM_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}  # of a number that is computed with, by `compute`


@dataclass(slots=True, frozen=True)
class Machine:
    """A kind of device: work a second (of a thread, on a CPU), seconds to begin, and of each step besides; bytes of
    the process besides weights, and of a number that is computed with; how far off a guess may be, as a factor."""

    work: float
    start_s: float
    step_s: float
    process_bytes: int
    itemsize: int
    off: float


# cpu: `tests/bench/estimate.py` and docs/benchmarks.md, on two cores; cuda: docs/benchmarks.md, on an H200
MACHINES = {
    "cpu": Machine(6.2e10, 3.7, 0.1, 420 << 20, 4, 2.5),
    "cuda": Machine(4.1e14, 15.0, 0.15, 600 << 20, 2, 2.5),
}


@dataclass(slots=True, frozen=True)
class Estimate:
    """Of one training. tokens: that are passed through in all; peak_bytes: of the training's process, on CUDA of the
    device; shared_bytes: of these the base's, which the serving worker has in memory anyway.

    measured: how many finished trainings the seconds come from; 0: from constants alone. low, high: the range that they
    should fall into.
    """

    examples: int
    tokens: int
    steps: int
    seconds: float
    low: float
    high: float
    peak_bytes: int
    shared_bytes: int
    measured: int

    @property
    def basis(self) -> Literal["measured", "constants"]:
        """What the seconds come from."""
        return "measured" if self.measured else "constants"


@dataclass(slots=True, frozen=True)
class Plan:
    """How much is computed: rows of one epoch, tokens of all steps, of which by the head alone and learned, tokens of
    all evaluations, of every example once, and of the longest row."""

    rows: int
    steps: int
    tokens: float
    by_head: float
    learned: float
    evaluated: float
    once: float
    row_tokens: int


def estimate(
    *,
    dataset: Dataset,
    settings: Mapping[str, Any],
    evaluation: Dataset | None = None,
    mix: Dataset | None = None,
    replay: Dataset | None = None,
) -> Estimate | None:
    """What a training with these settings (fields of `TrainSpec`) will take; None while a report is missing.

    Raises Unavailable where no base was converted yet.
    """
    card = base_card()
    if card is None:
        raise Unavailable("no base model has been converted yet", retry_after=5)
    sets = {"dataset": dataset, "evaluation": evaluation, "mix": mix, "replay": replay}
    reports = {role: report_of(row) for role, row in sets.items() if row is not None}
    if any(report is None or report.tokens is None for report in reports.values()):
        return None
    plan = plan_of(settings, {role: report for role, report in reports.items() if report})
    guessed, ratios = seconds_of(plan, settings, card), _ratios(dataset, card)
    seconds = guessed * (median(ratios) if ratios else 1.0)
    off = (
        max(1.3, *(max(one / median(ratios), median(ratios) / one) for one in ratios))
        if ratios
        else machine().off
    )
    return Estimate(
        plan.rows, round(plan.tokens), plan.steps, seconds, seconds / off, seconds * off,
        peak_bytes(plan, settings, card), card.bytes, len(ratios),
    )  # fmt: skip


def plan_of(settings: Mapping[str, Any], reports: Mapping[str, Report]) -> Plan:
    """Steps and tokens, as the trainer's own loop has them."""
    most = int(settings["max_tokens"])
    new = [_part(reports[role], most, settings) for role in ("dataset", "mix") if role in reports]
    rows, tokens, learned = (sum(part[place] for part in new) for place in range(3))
    per_epoch = epoch_steps(settings, rows, replayed="replay" in reports)
    first = head_steps(settings, per_epoch)
    steps = first + max(1, round(float(settings.get("epochs", 3.0)) * per_epoch))
    if settings.get("max_steps"):
        steps = min(steps, int(settings["max_steps"]))
    of_step = 1 / per_epoch / (1 - _replayed(settings, "replay" in reports))  # of an epoch
    every = settings.get("evaluate_every") or per_epoch
    measured = reports.get("evaluation")
    held_back = measured.tokens_within(most) if measured else 0
    longest = max(report.longest_within(most) for report in reports.values())
    by_head = tokens * min(first, steps) * of_step
    return Plan(
        round(rows), steps, tokens * steps * of_step, by_head, learned * steps * of_step,
        held_back * math.ceil(steps / every), tokens + held_back, longest,
    )  # fmt: skip


def epoch_steps(settings: Mapping[str, Any], rows: float, *, replayed: bool) -> int:
    """Steps that take so many new rows, as the trainer counts them."""
    new = int(settings["batch_size"]) * (1 - _replayed(settings, replayed))
    return max(1, math.ceil(math.ceil(rows / new) / int(settings.get("accumulation", 1))))


def head_steps(settings: Mapping[str, Any], per_epoch: int) -> int:
    """Of the first of two stages; of one stage none."""
    if settings.get("method") != "two_stage":
        return 0
    return max(1, round(float(settings.get("head_epochs", 1.0)) * per_epoch))


def _replayed(settings: Mapping[str, Any], replayed: bool) -> float:
    return float(settings.get("replay_share", 0.2)) if replayed else 0.0


def _part(report: Report, most: int, settings: Mapping[str, Any]) -> tuple[float, float, float]:
    """Rows, tokens and learned tokens of one pass over a data set."""
    rows, tokens = float(report.usable(most)), float(report.tokens_within(most))
    counted = report.tokens
    learned = tokens * (counted.learned / max(1, counted.total) if counted else 1.0)
    if settings.get("packing"):
        rows = math.ceil(tokens / (most * PACKED_FULL))
    return rows, tokens, learned


def seconds_of(plan: Plan, settings: Mapping[str, Any], card: BaseCard) -> float:
    """From the work alone, on this installation's device."""
    kind, adapted = machine(), adapted_of(settings)
    there = kept.work_of(card.config, replace(adapted, last_layers=0), None)  # and not back
    work = (plan.tokens - plan.by_head) * kept.work_of(card.config, adapted, settings.get("recompute"))
    work += plan.by_head * there
    work += plan.learned * kept.head_work_of(card.config)
    work += plan.evaluated * there
    if settings.get("method") == "dpo":  # what the start gives every answer, asked once
        work += plan.once * there
    return kind.start_s + plan.steps * kind.step_s + work / (kind.work * _threads())


def peak_bytes(plan: Plan, settings: Mapping[str, Any], card: BaseCard) -> int:
    """The most at once, when the longest rows meet in one batch."""
    kind, adapted = machine(), adapted_of(settings)
    itemsize = ITEM_BYTES.get(str(settings.get("compute")), kind.itemsize)
    tokens = int(settings["batch_size"]) * plan.row_tokens
    held = kept.activation_bytes(card.config, adapted, itemsize, settings.get("recompute"), _device(), tokens)
    trained = kept.STATE_BYTES * adapted.parameters(card.config)
    return kind.process_bytes + card.bytes + held + trained + kept.head_bytes(card.config, kind.itemsize)


def adapted_of(settings: Mapping[str, Any]) -> Adapted:
    """What the settings train."""
    targets = tuple(settings.get("targets") or ALL_TARGETS)
    dropped = float(settings.get("dropout", 0.05)) > 0
    return Adapted(int(settings["rank"]), targets, settings.get("last_layers"), dropped)


def machine() -> Machine:
    """The kind of device that trainings of this installation run on."""
    return MACHINES[_device()]


def _device() -> str:
    return "cuda" if os.environ.get("ROOTSTOCK_DEVICE", "cpu").startswith("cuda") else "cpu"


def _threads() -> int:
    if _device() == "cuda":
        return 1
    return int(os.environ.get("ROOTSTOCK_THREADS", "0")) or os.cpu_count() or 1


def _ratios(dataset: Dataset, card: BaseCard) -> list[float]:
    """Of finished trainings on this base: what they took, by what the work alone says."""
    with tenant(dataset.organisation_id):
        jobs = list(
            Job.objects.filter(kind=TRAINING, state=JobState.SUCCEEDED)
            .filter(adapters__base__fingerprint=card.fingerprint)
            .order_by("-pk")
            .distinct()[:LOOKED_AT]
        )
        ended = JobEvent.objects.filter(job__in=jobs, type="trained").values_list("job", "data")
        took = {job: data.get("seconds") for job, data in ended}
        named = {id for job in jobs for role in ROLES if (id := job.params.get(role))}
        found = {str(row.pk): report_of(row) for row in Dataset.objects.filter(pk__in=named)}
    return [ratio for job in jobs if (ratio := _ratio(job.params, took.get(job.pk), found, card)) is not None]


def _ratio(
    params: Mapping[str, Any], seconds: float | None, found: Mapping[str, Report | None], card: BaseCard
) -> float | None:
    reports = {role: found.get(id) for role in ROLES if (id := params.get(role))}
    if not seconds or any(report is None or report.tokens is None for report in reports.values()):
        return None
    plan = plan_of(params["settings"], {role: report for role, report in reports.items() if report})
    return seconds / seconds_of(plan, params["settings"], card)
