"""Pages of one data set: what is known of it, its examples, dropping lines."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.tenancy import tenant
from rootstock.console.charts import Chart, Series
from rootstock.errors import DomainError, InvalidInput
from rootstock.files.serving import download
from rootstock.jobs.models import Job
from rootstock.registry.base import base_card
from rootstock.registry.datasets.contents import dataset_file, dataset_page
from rootstock.registry.datasets.looking import LEAST_EVENNESS, MAX_TOKENS
from rootstock.registry.datasets.names import MOST_ROWS, ROWS, names_of, names_start
from rootstock.registry.datasets.report import Report
from rootstock.registry.datasets.reporting import report_of, report_start
from rootstock.registry.datasets.services import dataset_prune
from rootstock.registry.datasets.uses import dataset_uses
from rootstock.registry.models import Dataset
from rootstock.registry.pages.common import ASK, READ, acted, rights
from rootstock.registry.pages.findings import NAMES, findings_told, names_told
from rootstock.registry.pages.words import DATA_TASKS
from rootstock.registry.selectors import dataset_get

EXAMPLES, MOST_BARS = 20, 30
# What a request for one part is answered with, and what in the context says that there is more to come.
PARTS = {
    "report": ("registry/dataset_report.html", "waits"),
    "names": ("registry/dataset_names.html", "names_wait"),
}
_STOP_ASKING = 286  # htmx: what was loaded is the last of it


@require_GET
@tenant_page(READ)
def dataset(request: PageRequest, dataset_id: UUID) -> HttpResponse:
    """What is known of it; while a job looks, the page asks again for the part that it will fill."""
    row = dataset_get(organisation=request.organisation, dataset_id=dataset_id)
    report, found = report_of(row), names_of(row)
    job, names_job = _job(row, row.report_job_id), _job(row, row.names_job_id)
    context = {
        "dataset": row,
        "task": DATA_TASKS.get(row.task, row.task),
        "report": report,
        "job": job,
        "waits": job is not None and not job.is_final,
        "names": found,
        "names_job": names_job,
        "names_wait": names_job is not None and not names_job.is_final,
        "names_told": names_told(found),
        "names_rows": min(row.rows, MOST_ROWS) if found and found.looked < row.rows else ROWS,
        "charts": _charts(report) if report else [],
        "findings": findings_told(report) if report else [],
        "behind": _behind(row, report) if report else "",
        "uses": dataset_uses(dataset=row),
        "max_tokens": report.max_tokens if report else MAX_TOKENS,
        "least_evenness": report.least_evenness if report else LEAST_EVENNESS,
        **rights(request),
    }
    part, waits = PARTS.get(request.headers.get("HX-Target", ""), ("", ""))
    if part:
        return render(request, part, context, status=200 if context[waits] else _STOP_ASKING)
    return render(request, "registry/dataset.html", context)


@require_GET
@tenant_page(ASK)
def examples(request: PageRequest, dataset_id: UUID) -> HttpResponse:
    """Some of its examples, beginning at a line."""
    row = dataset_get(organisation=request.organisation, dataset_id=dataset_id)
    asked = request.GET.get("first", "1")
    first = min(int(asked), row.rows) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 1
    found = dataset_page(dataset=row, first=max(1, first), count=EXAMPLES)
    context = {
        "dataset": row,
        "examples": [(line, _turns(example), _spans(example), example) for line, example in found],
        "before": max(1, first - EXAMPLES) if first > 1 else None,
        "after": first + EXAMPLES if first + EXAMPLES <= row.rows else None,
        **rights(request),
    }
    return render(request, "registry/dataset_examples.html", context)


@require_GET
@tenant_page(ASK)
def content(request: PageRequest, dataset_id: UUID) -> FileResponse:
    """All of it, to save."""
    row = dataset_get(organisation=request.organisation, dataset_id=dataset_id)
    return download(organisation=request.organisation, file_id=dataset_file(row))


@require_POST
@tenant_page(ASK)
def look(request: PageRequest, dataset_id: UUID) -> HttpResponse:
    """Have it looked at again."""
    row = dataset_get(organisation=request.organisation, dataset_id=dataset_id)

    def start() -> None:
        try:
            most, least = int(request.POST["max_tokens"]), float(request.POST["least_evenness"])
        except (KeyError, ValueError):
            raise InvalidInput.field("max_tokens", "and the evenness must be numbers") from None
        report_start(
            organisation=request.organisation,
            dataset_id=row.pk,
            max_tokens=most,
            least_evenness=least,
            created_by=request.user,
        )

    return acted(
        request, start, "A worker looks through it; the report appears below.", "dataset", dataset_id
    )


@require_POST
@tenant_page(ASK)
def names(request: PageRequest, dataset_id: UUID) -> HttpResponse:
    """Have names looked for again, in so many examples."""
    dataset_get(organisation=request.organisation, dataset_id=dataset_id)
    asked = request.POST.get("rows", "")

    def start() -> None:
        if not (asked.isascii() and asked.isdigit() and len(asked) < 9):
            raise InvalidInput.field("rows", "must be a number")
        names_start(
            organisation=request.organisation,
            dataset_id=dataset_id,
            rows=int(asked),
            created_by=request.user,
        )

    return acted(request, start, "A worker looks for names; they are told below.", "dataset", dataset_id)


@require_POST
@tenant_page(ASK)
def drop(request: PageRequest, dataset_id: UUID) -> HttpResponse:
    """Drop lines: those that are ticked, or all of one finding."""
    row = dataset_get(organisation=request.organisation, dataset_id=dataset_id)
    try:
        made, is_new = dataset_prune(
            organisation=request.organisation,
            dataset_id=dataset_id,
            lines=_lines(request, row),
            created_by=request.user,
        )
    except DomainError as error:
        messages.error(request, f"Nothing was dropped: {error.detail}.")
        return redirect("dataset", dataset_id)
    dropped = row.rows - made.rows
    lines = f"{dropped:,} line{'' if dropped == 1 else 's'}"
    told = f"{lines} dropped. This is the new version; the old one is still there."
    messages.success(request, told if is_new else "What is left was there already: this is it.")
    return redirect("dataset", made.pk)


def _lines(request: PageRequest, row: Dataset) -> list[int]:
    chosen, report, found = request.POST.get("finding", ""), report_of(row), names_of(row)
    if chosen == NAMES and found:
        return [one.line for one in found.found.lines]
    if chosen.isdigit() and report and int(chosen) < len(report.problems):
        return [one.line for one in report.problems[int(chosen)].lines]
    return [int(line) for line in request.POST.getlist("line") if line.isascii() and line.isdigit()]


def _job(row: Dataset, job_id: UUID | None) -> Job | None:
    """The job that looks, or looked last."""
    with tenant(row.organisation_id):
        return Job.objects.filter(pk=job_id).first() if job_id else None


def _behind(row: Dataset, report: Report) -> str:
    """Why the report should be made again; empty when it need not be."""
    card = base_card()
    if card and (report.tokens is None or report.tokens.fingerprint != card.fingerprint):
        return f"Its tokens were not counted for the base that is served now, {card.name}."
    with tenant(row.organisation_id):
        later = Dataset.objects.filter(is_test=True).exclude(file=None).exclude(pk__in=report.tests).count()
    if later and not row.is_test:
        return f"{later} test set{' has' if later == 1 else 's have'} come since: leakage was not looked for there."
    return ""


def _charts(report: Report) -> list[Chart]:
    found = []
    if bars := [bar for bar in report.lengths if bar.rows]:
        labels = [f"{bar.least}–{bar.most}" for bar in bars]
        rows = Series("examples", [bar.rows for bar in bars])
        note = f"In tokens of {report.tokens.base}." if report.tokens else ""
        found.append(Chart("lengths", "Lengths", labels, [rows], "bar", note=note, label_title="Tokens"))
    if report.labels:
        shown = report.labels[:MOST_BARS]
        given = Series("times", [label.count for label in shown])
        names = [label.name for label in shown]
        note = f"{report.unlabelled:,} without a label." if report.unlabelled else ""
        found.append(Chart("labels", "Label balance", names, [given], "rows", note=note, label_title="Label"))
    return found


def _turns(example: dict[str, Any]) -> list[tuple[str, str]]:
    """Who says what, for reading."""
    turns = [(turn["role"], turn["content"]) for turn in example.get("messages", [])]
    return turns + [(name, example[name]) for name in ("chosen", "rejected") if name in example]


def _spans(example: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"start": start, "end": end, "label": label} for start, end, label in example.get("spans", [])]
