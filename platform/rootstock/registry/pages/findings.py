"""What a report found, in words."""

from dataclasses import dataclass

from rootstock.registry.datasets.report import Finding, FoundLine, Names, Report

SHOWN = 100  # lines of a finding on the page
NAMES = "names"
PERSONAL = {
    "email": "E-mail addresses",
    "iban": "Bank accounts (IBAN)",
    "card": "Payment cards",
    "phone": "Telephone numbers",
    "name": "Names of persons",
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
    "personal": ("Personal data", "Declare the persons, or drop the lines."),
}  # fmt: skip
VALUES = {
    "near_leak": "Alike:num",
    "near_duplicate": "Alike:num",
    "repetitive": "Evenness:num",
    "long": "Tokens:num",
}


@dataclass(slots=True, frozen=True)
class Told:
    """A finding as the page shows it. key: its place in the report, or `names`.

    other, value, where: heads of columns.
    """

    key: str
    finding: Finding
    title: str
    text: str
    tone: str
    other: str
    value: str
    where: str

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
    return [_told(str(number), finding) for number, finding in enumerate(report.problems)]


def names_told(names: Names | None) -> Told | None:
    """Names of persons, where there are any."""
    return _told(NAMES, names.found) if names and names.found.count else None


def _told(key: str, finding: Finding) -> Told:
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
    value = "Sure:num" if finding.detail == "name" else VALUES.get(finding.kind, "How much:hidden")
    where = "Where" if any(line.fields for line in finding.lines) else "Where:hidden"
    return Told(key, finding, title, text, tone, other, value, where)
