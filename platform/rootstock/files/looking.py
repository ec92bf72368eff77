"""What the scanners say of a content. Free of Django: of a large file a limited process says it.

`python -m rootstock.files.looking SUFFIX TYPE…` looks at its standard input and prints a report as one JSON line.
"""

import json
import sys
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

from models_zoo.limits import limited
from models_zoo.llm.foreign import bounded
from rootstock.files.detection import detected_type
from rootstock.files.scanners import SCANNERS, Check, Refusal

CPU_S = 300
_MOST = 300  # characters of a reason


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

    def passed(self, name: str, text: str) -> None:
        """One more was made."""
        self.checks.append(Outcome(name, True, bounded(text, _MOST)))

    def refused(self, name: str, reason: str) -> None:
        """One refused, which ends them."""
        self.reason = bounded(reason, _MOST)
        self.checks.append(Outcome(name, False, self.reason))

    @classmethod
    def of(cls, told: dict[str, Any]) -> "Report":
        """One that another process told."""
        return cls(told["type"], [Outcome(**one) for one in told["checks"]], told["reason"])


def look(stream: BinaryIO, name: str, types: Collection[str]) -> Report:
    """Every check of the type that the content has, in order; the first that refuses ends them."""
    report = Report()
    for title, check in _checks(report, name, types):
        try:
            report.passed(title, check(stream))
        except Refusal as refusal:
            report.refused(title, str(refusal))
            break
    return report


def _checks(report: Report, name: str, types: Collection[str]) -> Iterator[tuple[str, Check]]:
    """Which checks follow depends on the type that the first of them finds."""

    def type_of(stream: BinaryIO) -> str:
        report.type = detected_type(stream, name)
        if report.type not in types:
            raise Refusal(f"{report.type} is not taken for this purpose")
        return report.type

    yield "type", type_of
    yield from SCANNERS[report.type]


def main(suffix: str, *types: str) -> None:
    """Look at standard input."""
    with limited(CPU_S):
        print(json.dumps(asdict(look(sys.stdin.buffer, f"file{suffix}", types))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
