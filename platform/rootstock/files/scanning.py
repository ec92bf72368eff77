"""All the checks of one file, in order; the first that refuses ends them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import BinaryIO

from django.conf import settings

from rootstock.files.clamd import check_virus
from rootstock.files.detection import detected_type
from rootstock.files.purposes import purpose_named
from rootstock.files.scanners import SCANNERS, Check, Refusal


@dataclass(slots=True, frozen=True)
class Outcome:
    """What one check said; None: it was not made."""

    name: str
    passed: bool | None
    text: str


@dataclass(slots=True)
class Report:
    """What all of them said."""

    type: str = ""
    checks: list[Outcome] = field(default_factory=list)
    reason: str = ""

    @property
    def is_clean(self) -> bool:
        """None of them refused."""
        return not self.reason

    def as_list(self) -> list[dict[str, object]]:
        """For the file's row."""
        return [asdict(check) for check in self.checks]


def scan(stream: BinaryIO, *, name: str, purpose: str) -> Report:
    """Look at a file. Raises Unavailable when a check cannot be made now; the file stays in quarantine then."""
    report = Report()
    for title, check in _checks(report, name, purpose):
        try:
            report.checks.append(Outcome(title, True, check(stream)))
        except Refusal as refusal:
            report.reason = str(refusal)[:300]
            report.checks.append(Outcome(title, False, report.reason))
            break
    if report.is_clean and not settings.CLAMD:
        report.checks.append(Outcome("viruses", None, "not checked: no virus scanner is configured"))
    return report


def _checks(report: Report, name: str, purpose: str) -> Iterator[tuple[str, Check]]:
    """Which checks follow depends on the type that the first of them finds."""

    def type_of(stream: BinaryIO) -> str:
        report.type = detected_type(stream, name)
        if report.type not in purpose_named(purpose).types:
            raise Refusal(f"{report.type} is not taken for this purpose")
        return report.type

    yield "type", type_of
    yield from SCANNERS[report.type]
    if settings.CLAMD:
        yield "viruses", lambda stream: check_virus(stream, settings.CLAMD)
