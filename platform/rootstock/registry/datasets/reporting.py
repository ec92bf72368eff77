"""Reports of data sets: made at once for a small one, by a job for a larger one, and kept with the row."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import Sum
from django.utils import timezone

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput, NotFound
from rootstock.jobs.models import FINAL_STATES
from rootstock.jobs.running import JobHandle
from rootstock.jobs.services import job_create
from rootstock.registry.base import base_card, base_folder
from rootstock.registry.datasets.contents import dataset_examples
from rootstock.registry.datasets.looking import LEAST_EVENNESS, MAX_TOKENS, Look, TestSet
from rootstock.registry.datasets.measuring import tokenizer_of
from rootstock.registry.datasets.report import Report
from rootstock.registry.models import Dataset

KIND = "datasets.report"
AT_ONCE = 64 * 1024  # bytes of a set and its test sets together: well below a second
TOLD_EVERY = 200  # lines


def report_soon(dataset: Dataset, created_by: User | None = None) -> None:
    """Have a new data set looked at: now when that is quick, else by a job."""
    with tenant(dataset.organisation_id):
        others = 0 if dataset.is_test else _tests().aggregate(bytes=Sum("bytes"))["bytes"] or 0
    if dataset.bytes + others > AT_ONCE:
        started = report_start(
            organisation=dataset.organisation, dataset_id=dataset.pk, created_by=created_by
        )
        dataset.report_job = started.report_job
    else:
        _keep(dataset, _look(dataset, MAX_TOKENS, LEAST_EVENNESS))


def report_start(
    *,
    organisation: Organisation,
    dataset_id: UUID,
    max_tokens: int = MAX_TOKENS,
    least_evenness: float = LEAST_EVENNESS,
    created_by: User | None = None,
) -> Dataset:
    """Have a data set looked at by a job, which is `report_job`; one that is under way already is kept.

    max_tokens: where longer examples are cut. least_evenness: 0 to 1, below which a text repeats itself too much.
    """
    if not 16 <= max_tokens <= 1_000_000:
        raise InvalidInput.field("max_tokens", "must be 16 to 1,000,000")
    if not 0 <= least_evenness <= 1:
        raise InvalidInput.field("least_evenness", "must be 0 to 1")
    with tenant(organisation):
        row = Dataset.objects.select_for_update(of=("self",)).filter(pk=dataset_id).first()
        if row is None:
            raise NotFound("no such data set")
        if row.report_job and row.report_job.state not in FINAL_STATES:
            return row
        row.report_job = job_create(
            organisation=organisation,
            kind=KIND,
            params={"dataset": str(row.pk), "max_tokens": max_tokens, "least_evenness": least_evenness},
            total=row.rows,
            created_by=created_by,
        )
        row.save(update_fields=["report_job"])
    return row


def make(job: JobHandle) -> dict[str, Any]:
    """The job `datasets.report`."""
    with tenant(job.organisation):
        row = Dataset.objects.select_related("organisation").get(pk=UUID(job.params["dataset"]))

    def told(line: int) -> None:
        if line % TOLD_EVERY == 0 or line == row.rows:
            job.progress(line, row.rows, f"line {line} of {row.rows}")

    report = _look(row, job.params["max_tokens"], job.params["least_evenness"], told)
    with job.commit() as result:
        _keep(row, report)
        result |= {"dataset": str(row.pk), "problems": sum(one.count for one in report.problems)}
    return result


def report_of(dataset: Dataset) -> Report | None:
    """The report that is there."""
    return Report.model_validate(dataset.report) if dataset.report else None


def _look(
    row: Dataset, max_tokens: int, least_evenness: float, told: Callable[[int], None] | None = None
) -> Report:
    card = base_card()
    tokenizer = tokenizer_of(base_folder(), card.fingerprint) if card else None
    about = {"name": card.name, "fingerprint": card.fingerprint} if card else None
    with tenant(row.organisation_id):
        sets = [] if row.is_test else list(_tests())
    tests = [TestSet(one.pk, one.name).read(one.task, dataset_examples(one)) for one in sets]
    return Look(row.task, tokenizer, tests, max_tokens, least_evenness).report(
        dataset_examples(row), about, told
    )


def _tests() -> Any:
    """The organisation's frozen test sets whose content is there. Call it inside `tenant()`."""
    return Dataset.objects.filter(is_test=True).exclude(file=None).defer("report", "names").order_by("pk")


def _keep(row: Dataset, report: Report) -> None:
    """Unless the content has gone meanwhile."""
    row.report, row.reported_at = report.model_dump(mode="json", exclude_defaults=True), timezone.now()
    with tenant(row.organisation_id):
        there = Dataset.objects.filter(pk=row.pk).exclude(file=None)
        there.update(report=row.report, reported_at=row.reported_at)
