"""Whether a data set may be trained on: what its report blocks is refused with reasons, all else is only told."""

from rootstock.errors import FieldProblem, InvalidInput
from rootstock.registry.datasets.contents import dataset_examples
from rootstock.registry.datasets.looking import TestSet, asked_fingerprint
from rootstock.registry.datasets.names import names_of
from rootstock.registry.datasets.report import Finding, Report
from rootstock.registry.datasets.reporting import report_of
from rootstock.registry.models import Dataset

NAMED = 10  # lines in a message


def refuse_unfit(
    *, dataset: Dataset, max_tokens: int, evaluation: Dataset | None = None, field: str = "dataset_id"
) -> None:
    """Raise InvalidInput naming `field` where nothing could be learned from the data set when its examples are cut
    behind `max_tokens`, or where it gives away what `evaluation` asks."""
    report = report_of(dataset)
    reasons = []
    if report and report.tokens and report.usable(max_tokens) == 0:
        reasons.append(
            f"no example of {dataset.name} is left to learn from when cut behind {max_tokens} tokens"
        )
    if evaluation and (lines := _leaks(dataset, report, evaluation)):
        named = ", ".join(f"{line:,}" for line in lines[:NAMED]) + (", …" if len(lines) > NAMED else "")
        reasons.append(
            f"{len(lines):,} of its examples ask what {evaluation.name} asks (lines {named}): drop them, or evaluate "
            "on another set"
        )
    if reasons:
        raise InvalidInput(
            f"{field}: {'; '.join(reasons)}", errors=[FieldProblem(field, reason) for reason in reasons]
        )


def warnings_of(dataset: Dataset) -> list[Finding]:
    """What its report found that nobody has to confirm."""
    report, names = report_of(dataset), names_of(dataset)
    found = [one for one in report.problems if one.severity == "warning"] if report else []
    return [*found, names.found] if names and names.found.count else found


def _leaks(dataset: Dataset, report: Report | None, evaluation: Dataset) -> list[int]:
    """Lines that ask what the evaluation set asks: as the report says, or looked for now where it came before it."""
    if report and evaluation.pk in report.tests:
        found = (one for one in report.problems if one.kind == "leak" and one.dataset == evaluation.pk)
        return [line.line for problem in found for line in problem.lines]
    test = TestSet(evaluation.pk, evaluation.name).read(
        evaluation.task, dataset_examples(evaluation), near=False
    )
    return [
        line
        for line, row in enumerate(dataset_examples(dataset), start=1)
        if asked_fingerprint(dataset.task, row) in test.asked
    ]
