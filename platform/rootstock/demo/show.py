"""What the demo prints: progress while it works, a table at the end."""

import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

PIPED_WIDTH = 120


@dataclass(slots=True, frozen=True)
class Row:
    """One line of the final table."""

    what: str
    count: int
    median_ms: float | None
    p99_ms: float | None
    outcome: str
    ok: bool = True


@dataclass(slots=True)
class Timings:
    """Durations of like requests, in milliseconds."""

    values: list[float] = field(default_factory=list)

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Time the block."""
        began = time.perf_counter()
        yield
        self.values.append((time.perf_counter() - began) * 1000)

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def p99(self) -> float:
        """The 99th percentile (nearest rank)."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]

    def row(self, what: str, outcome: str, count: int | None = None) -> Row:
        """A row of the final table from these durations."""
        return Row(what, count if count is not None else len(self.values), self.median, self.p99, outcome)


class Show:
    """Prints the demo's course. On a terminal progress renews one line; elsewhere it prints a line now and then."""

    def __init__(self) -> None:
        self._live, self._last, self._said = sys.stdout.isatty(), 0.0, ""
        plain = Console(highlight=False)
        # Into a pipe rich would take 80 columns, where the table's words break within themselves.
        width = None if self._live else max(plain.width, PIPED_WIDTH)
        self._console = plain if width is None else Console(highlight=False, width=width)

    def heading(self, text: str) -> None:
        """A part of the demo begins."""
        self._console.print(f"\n[bold cyan]{text}[/]")

    def step(self, text: str) -> None:
        """Something was done."""
        self._clear()
        self._console.print(f"  {text}", markup=False)

    def progress(self, done: int, total: int | None, text: str = "") -> None:
        """How far a long step has come."""
        finished, now = done == total, time.monotonic()
        if not finished and now - self._last < (0.1 if self._live else 5.0):
            return
        self._last = now
        of = f"{done:,} of {total:,}" if total else f"{done:,}"
        line = f"  {text} {of}"
        if self._live:
            sys.stdout.write(f"\r\033[K{line}")
            sys.stdout.flush()
        elif line != self._said:
            self._said = line
            self._console.print(line, markup=False)

    def table(self, rows: Sequence[Row]) -> None:
        """The end: what, how many, how quick, with which outcome."""
        self._clear()
        table = Table(title="What the demo did", title_justify="left")
        for name in ("what", "count", "median", "p99", "outcome"):
            table.add_column(
                name, justify="left" if name in ("what", "outcome") else "right", overflow="fold"
            )
        for row in rows:
            mark = "[green]✓[/]" if row.ok else "[red]✗[/]"
            table.add_row(
                row.what, f"{row.count:,}", _ms(row.median_ms), _ms(row.p99_ms), f"{mark} {row.outcome}"
            )
        self._console.print()
        self._console.print(table)

    def failure(self, text: str) -> None:
        """The demo stops here."""
        self._clear()
        self._console.print(f"\n[bold red]failed:[/] {text}")

    def _clear(self) -> None:
        if self._live:
            sys.stdout.write("\r\033[K")


def _ms(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.1f} ms" if value < 10_000 else f"{value / 1000:,.1f} s"
