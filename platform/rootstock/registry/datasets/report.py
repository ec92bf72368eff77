"""What is known of a data set's content: figures, and the lines with problems. Never what stands in a line."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

MOST_LINES = 1_000  # told of one problem
MOST_FIELDS = 8  # told of one line
STEP, FINE = 16, 1024  # tokens: width of a histogram's bars, and up to where they are as narrow

Kind = Literal[
    "unusable", "long", "duplicate", "near_duplicate", "contradiction", "leak", "near_leak", "repetitive", "personal"
]  # fmt: skip
NOUNS: dict[str, str] = {
    "unusable": "lines that teach nothing",
    "long": "lines that are cut",
    "duplicate": "duplicates",
    "near_duplicate": "near duplicates",
    "contradiction": "contradictions",
    "leak": "lines that a test set asks",
    "near_leak": "lines that a test set nearly asks",
    "repetitive": "lines that repeat themselves",
    "personal": "lines with personal data",
}
Severity = Literal["blocking", "warning"]


class FoundLine(BaseModel):
    """A line with a problem. other: the line that it is like, of this set or of the test set. value: how much. fields:
    where in the line, as dotted paths, the first eight."""

    line: int
    other: int | None = None
    value: float | None = None
    fields: list[str] = Field(default=[], examples=[["messages.0.content"]])


class Finding(BaseModel):
    """One kind of problem. detail: which kind of personal data, or why lines cannot be learned from.

    count: of all lines that have it; lines: the first thousand. dataset: the test set that they are in as well.
    """

    kind: Kind
    severity: Severity = "warning"
    detail: str = Field(default="", examples=["email"])
    count: int = 0
    lines: list[FoundLine] = []
    dataset: UUID | None = None
    dataset_name: str = Field(default="", examples=["frozen-answers"])

    @property
    def words(self) -> str:
        """Behind its count."""
        return f"{NOUNS[self.kind]} ({self.detail})" if self.kind == "personal" else NOUNS[self.kind]

    def add(
        self, line: int, other: int | None = None, value: float | None = None, fields: Sequence[str] = ()
    ) -> None:
        """One line more."""
        self.count += 1
        if len(self.lines) < MOST_LINES:
            rounded, named = None if value is None else round(value, 3), list(fields[:MOST_FIELDS])
            self.lines.append(FoundLine(line=line, other=other, value=rounded, fields=named))


class Names(BaseModel):
    """Names of persons, which a model looked for in a sample. looked: examples that it read, of `rows` in all. adapter:
    which model, as `name@digest`. found: the lines, `value` being how sure it is at most. seconds: that it took."""

    looked: int
    rows: int
    adapter: str = ""
    found: Finding = Field(default_factory=lambda: Finding(kind="personal", detail="name"))
    seconds: float = 0.0


class Tokens(BaseModel):
    """Counted with a base's tokenizer, in the form in which it is trained. learned: those that are targets."""

    base: str
    fingerprint: str
    total: int = 0
    learned: int = 0
    longest: int = 0
    median: int = 0


class Bar(BaseModel):
    """Examples of `least` to `most` tokens (inclusive). first: those whose first target lies there instead."""

    least: int
    most: int
    rows: int = 0
    tokens: int = 0
    first: int = 0


class Label(BaseModel):
    """A label, and how often it is given."""

    name: str
    count: int


class Report(BaseModel):
    """All of it. sequences: that an example is trained as; a preference pair is two. tests: the test sets that leakage
    was looked for in. seconds: that it took."""

    rows: int
    sequences: int = 1
    max_tokens: int
    least_evenness: float
    tokens: Tokens | None = None
    lengths: list[Bar] = []
    labels: list[Label] = []
    unlabelled: int = 0
    problems: list[Finding] = []
    tests: list[UUID] = []
    seconds: float = 0.0

    def usable(self, max_tokens: int) -> int:
        """About how many examples are left when each is cut behind so many tokens."""
        return sum(bar.first for bar in self.lengths if bar.least <= max_tokens)

    def tokens_within(self, max_tokens: int) -> int:
        """About how many tokens are trained on in an epoch when each example is cut behind so many."""
        most = max_tokens * self.sequences
        return sum(
            bar.tokens if bar.most <= most else min(bar.tokens, bar.rows * most) for bar in self.lengths
        )

    def longest_within(self, max_tokens: int) -> int:
        """The most tokens of a row when each is cut behind so many."""
        longest = self.tokens.longest if self.tokens else max_tokens * self.sequences
        return min(longest, max_tokens * self.sequences)

    @property
    def blocking(self) -> list[Finding]:
        """What training with some test set is refused for."""
        return [one for one in self.problems if one.severity == "blocking"]


def bar_of(tokens: int) -> tuple[int, int]:
    """The bar that a length falls into: every 16 up to 1,024, then each twice as wide as the one before."""
    if tokens <= FINE:
        least = max(0, tokens - 1) // STEP * STEP + 1
        return least, least + STEP - 1
    most = FINE
    while most < tokens:
        most *= 2
    return most // 2 + 1, most
