"""Thresholds from validation, figures from the test parts: of the adapter on the int4 base as it is served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from models_zoo.llm.card import ADAPTER_CARD_FILE, ModelError, read_adapter_card, write_card
from models_zoo.zoo.files import Row
from models_zoo.zoo.measures import Figure, measured
from models_zoo.zoo.served import Served
from models_zoo.zoo.tasks import VALIDATION, Bar, Task

FAILURES = 5
SHOWN = 240  # characters of a failure's text


@dataclass(slots=True, frozen=True)
class Result:
    """One figure beside its bar."""

    part: str
    name: str
    figure: Figure
    bar: Bar | None

    @property
    def reached(self) -> bool | None:
        """None without a bar."""
        return None if self.bar is None else self.figure.value >= self.bar.least

    def record(self) -> dict[str, Any]:
        """As JSON."""
        told = {key: round(value, 4) for key, value in asdict(self.figure).items()}
        bar = {} if self.bar is None else {"least": self.bar.least, "aim": self.bar.aim}
        return {"part": self.part, "name": self.name, **told, **bar}


@dataclass(slots=True, frozen=True)
class Evaluation:
    """All figures, and examples that went wrong."""

    results: list[Result]
    failures: list[dict[str, Any]]


def settle_thresholds(
    task: Task, served: Served, data: Path, adapter: Path, limit: int | None
) -> dict[str, float]:
    """Choose thresholds on validation and write them to the adapter's card; those of the card where none are chosen.

    Raises `ModelError` when the adapter is not a classifier although the task settles thresholds.
    """
    card = read_adapter_card(adapter)
    if task.settle is None:
        return card.thresholds
    if card.task != "classification":
        raise ModelError(f"{adapter}: is for {card.task}, expected a classifier")
    rows = task.examples(data, VALIDATION)[:limit]
    found = task.settle(served.probabilities([row["text"] for row in rows]), rows, card.labels)
    thresholds = {label: round(float(value), 4) for label, value in found.items()}
    write_card(replace(card, thresholds=thresholds), adapter / ADAPTER_CARD_FILE)
    return thresholds


def evaluate(task: Task, served: Served, data: Path, limit: int | None = None) -> Evaluation:
    """Every figure of every test part, of its first `limit` examples where that is given."""
    results: list[Result] = []
    failures: list[dict[str, Any]] = []
    for part, measure in task.measures.items():
        rows = task.examples(data, part)[:limit]
        given = served.given(rows, task.answer_tokens)
        for name, figure in measured(measure, rows, given).items():
            results.append(Result(part, name, figure, task.bars.get(f"{part} {name}")))
        failures += _failures(part, rows, given)
    return Evaluation(results, failures)


def write_metrics(adapter: Path, results: Sequence[Result]) -> None:
    """Add the figures to the adapter's card, as `<part>_<figure>`. Changes the adapter's digest."""
    card = read_adapter_card(adapter)
    added = {f"{one.part}_{one.name}": round(one.figure.value, 4) for one in results}
    kept = {name: value for name, value in card.metrics.items() if not name.startswith("test")}
    write_card(replace(card, metrics=kept | added), adapter / ADAPTER_CARD_FILE)


def table(name: str, results: Sequence[Result]) -> str:
    """Markdown."""
    lines = [f"| {name} | figure | 95 % interval | examples | bar | |", "|---|---|---|---|---|---|"]
    for one in results:
        told = "" if one.bar is None else f"{one.bar.least:.3f}"
        verdict = {None: "", True: "reached", False: "**missed**"}[one.reached]
        figure = one.figure
        lines.append(
            f"| {one.part} {one.name} | {figure.value:.4f} | {figure.low:.3f}–{figure.high:.3f} "
            f"| {figure.examples:,} | {told} | {verdict} |"
        )
    return "\n".join(lines)


def _failures(part: str, rows: Sequence[Row], given: Sequence[Any]) -> list[dict[str, Any]]:
    """The first examples of a part that went wrong; of answers, which are never quite right, the first two."""
    wrong = [
        {"part": part, "text": _shown(row), "wanted": wanted, "given": got}
        for row, one in zip(rows, given, strict=True)
        if (wanted := _wanted(row)) != (got := _told(row, one))
    ]
    return wrong[: FAILURES if "messages" not in rows[0] else 2]


def _shown(row: Mapping[str, Any]) -> str:
    text = row["text"] if "text" in row else row["messages"][-2]["content"]
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _wanted(row: Row) -> str:
    if "messages" in row:
        return str(row["messages"][-1]["content"])[: 2 * SHOWN]
    return _told(row, row.get("labels", row.get("spans")))


def _told(row: Row, given: Any) -> str:
    if "messages" in row:
        return str(given)[: 2 * SHOWN]
    if "spans" in row:
        return (
            "; ".join(f"{row['text'][a:b]} ({label})" for a, b, label in sorted(map(tuple, given))) or "none"
        )
    return ", ".join(sorted(given)) or "none"
