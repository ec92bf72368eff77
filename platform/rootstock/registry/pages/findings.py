"""What a report found, in words."""

from dataclasses import dataclass

from rootstock.registry.datasets.report import Finding, FoundLine, Report

SHOWN = 100  # lines of a finding on the page
PERSONAL = {
    "email": "E-mail addresses",
    "iban": "Bank accounts (IBAN)",
    "card": "Payment cards",
    "phone": "Telephone numbers",
}
WORDS: dict[str, tuple[str, str]] = {
    "leak": ("Ask what a test set asks", "A training evaluated on it is refused: its figures would tell nothing."),
    "near_leak": ("Ask nearly what a test set asks", "At least four fifths of the text are the same."),
    "unusable": ("Nothing can be learned from them", "They are left out of a training."),
    "long": ("Longer than is read", "What comes behind the limit is cut, and not learned."),
    "duplicate": ("The same as an earlier line", "They count twice in a training."),
    "near_duplicate": ("Nearly the same as an earlier line", "At least four fifths of the text are the same."),
    "contradiction": ("The same text with other labels", "One of the two teaches something wrong."),
    "repetitive": ("Repeat themselves", "Few different tokens for their length."),
    "personal": ("Personal data", "By its form: names are not looked for. Declare the persons, or drop the lines."),
}  # fmt: skip
VALUES = {
    "near_leak": "Alike:num",
    "near_duplicate": "Alike:num",
    "repetitive": "Evenness:num",
    "long": "Tokens:num",
}


@dataclass(slots=True, frozen=True)
class Told:
    """A finding as the page shows it. number: its place in the report. other, value: heads of columns."""

    number: int
    finding: Finding
    title: str
    text: str
    tone: str
    other: str
    value: str

    @property
    def lines(self) -> list[FoundLine]:
        """Those that are shown."""
        return self.finding.lines[:SHOWN]

    @property
    def hidden(self) -> int:
        """How many are not."""
        return self.finding.count - len(self.lines)


def findings_told(report: Report) -> list[Told]:
    """Those that block something first."""
    return [_told(number, finding) for number, finding in enumerate(report.problems)]


def _told(number: int, finding: Finding) -> Told:
    title, text = WORDS[finding.kind]
    if finding.dataset_name:
        title = f"{title}: {finding.dataset_name}"
    elif finding.kind == "personal":
        title = PERSONAL.get(finding.detail, finding.detail)
    elif finding.detail:
        text = f"{finding.detail[:1].upper()}{finding.detail[1:]}. {text}"
    has_other = any(line.other for line in finding.lines)
    other = ("Its line:num" if finding.dataset else "Earlier line:num") if has_other else "Other line:hidden"
    tone = "error" if finding.severity == "blocking" else "warn"
    return Told(number, finding, title, text, tone, other, VALUES.get(finding.kind, "How much:hidden"))
