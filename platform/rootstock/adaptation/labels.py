"""Labels in the data sets of a training, as their reports count them: what would fail once it runs."""

from collections.abc import Iterator

from rootstock.adaptation.sources import Loaded
from rootstock.adaptation.train_settings import TrainSettings
from rootstock.errors import FieldProblem
from rootstock.registry.datasets.looking import MOST_LABELS
from rootstock.registry.datasets.report import Report
from rootstock.registry.datasets.reporting import report_of

HEADS = ("classification", "tagging")
LEARNED = ("dataset", "mix", "replay")
NAMED = 5  # labels in a message


def label_problems(settings: TrainSettings, loaded: Loaded) -> Iterator[FieldProblem]:
    """Labels that nothing teaches, and examples with several or none where each has one."""
    task = loaded.dataset.task
    if task not in HEADS:
        return
    found = {role: report_of(row) for role, row in loaded.datasets.items() if row.task == task}
    reports = {role: report for role, report in found.items() if report}
    for role, labels in _untaught(loaded, reports):
        named = ", ".join(labels[:NAMED]) + (", …" if len(labels) > NAMED else "")
        whose = f"{loaded.parent.reference} has" if loaded.parent else "what is learned has"
        yield FieldProblem(f"{role}_id", f"{loaded.datasets[role].name} has labels that {whose} not: {named}")
    if task == "classification" and not settings.multi_label:
        for role, report in reports.items():
            if not _one_each(report):
                told = f"{loaded.datasets[role].name} has examples with several labels, or with none"
                yield FieldProblem("multi_label", f"{told}: choose it, or drop them")


def _untaught(loaded: Loaded, reports: dict[str, Report]) -> Iterator[tuple[str, list[str]]]:
    """Data sets by their part, with the labels that the adapter will not have. Nothing where a report is not there."""
    known = set(loaded.parent.card.get("labels") or ()) if loaded.parent else set()
    learned = [role for role in LEARNED if role in loaded.datasets]
    if not known:
        if any(role not in reports or _cut(reports[role]) for role in learned):
            return
        known = {label.name for role in learned for label in reports[role].labels}
    for role, report in reports.items():
        if missing := sorted({label.name for label in report.labels} - known):
            yield role, missing


def _one_each(report: Report) -> bool:
    return not report.unlabelled and (
        _cut(report) or sum(label.count for label in report.labels) == report.rows
    )


def _cut(report: Report) -> bool:
    """It does not name every label."""
    return len(report.labels) >= MOST_LABELS
