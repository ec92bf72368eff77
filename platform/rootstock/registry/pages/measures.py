"""How two versions did on the same data sets: figures beside figures, answers beside answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rootstock.console import formats
from rootstock.registry.models import Dataset, Evaluation
from rootstock.registry.pages.words import FIGURES, in_order, plain

SMALL = 0.0005  # a change that the shown digits do not tell


@dataclass(slots=True, frozen=True)
class Measure:
    """One figure of one version, of the base alone, and of the other version."""

    name: str
    one: float | None
    base: float | None
    other: float | None

    @property
    def change(self) -> str:
        """This against the other version, or against the base where there is no other."""
        against = self.base if self.other is None else self.other
        if self.one is None or against is None:
            return formats.NONE
        found = self.one - against
        return "no change" if abs(found) < SMALL else f"{found:+.3f}"

    @property
    def cells(self) -> list[str]:
        """The figures as they are written."""
        return [
            formats.NONE if value is None else f"{value:,.3f}" for value in (self.one, self.base, self.other)
        ]


@dataclass(slots=True, frozen=True)
class Sample:
    """An example of the data set, and what each side made of it."""

    input: str
    expected: str
    one: str
    base: str
    other: str


@dataclass(slots=True, frozen=True)
class Comparison:
    """Two versions on one data set; either may not have been measured on it."""

    dataset: Dataset
    one: Evaluation | None
    other: Evaluation | None

    @property
    def base_name(self) -> str:
        """The base that the answers were written on."""
        measured = self.one or self.other
        return measured.base.name if measured else ""

    @property
    def measures(self) -> list[Measure]:
        """Every figure that either has."""
        mine, theirs = (found.metrics if found else {} for found in (self.one, self.other))
        base = {**(self.other.baseline if self.other else {}), **(self.one.baseline if self.one else {})}
        return [
            Measure(
                FIGURES.get(name, name),
                _number(mine.get(name)),
                _number(base.get(name)),
                _number(theirs.get(name)),
            )
            for name in in_order([*mine, *theirs])
        ]

    @property
    def samples(self) -> list[Sample]:
        """Examples that both answered side by side, and those of one alone."""
        mine, theirs = (_by_input(found) for found in (self.one, self.other))
        return [_sample(text, mine.get(text, {}), theirs.get(text, {})) for text in {**mine, **theirs}]


def comparisons(one: Sequence[Evaluation], other: Sequence[Evaluation]) -> list[Comparison]:
    """By data set, from evaluations that begin with the newest: of each data set that counts."""
    mine, theirs = _newest(one), _newest(other)
    datasets = {pk: found.dataset for pk, found in {**mine, **theirs}.items()}
    return [Comparison(dataset, mine.get(pk), theirs.get(pk)) for pk, dataset in datasets.items()]


def _newest(found: Sequence[Evaluation]) -> dict[Any, Evaluation]:
    return {one.dataset_id: one for one in reversed(found)}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _by_input(found: Evaluation | None) -> dict[str, dict[str, Any]]:
    return {plain(sample.get("input")): sample for sample in found.samples} if found else {}


def _sample(text: str, mine: dict[str, Any], theirs: dict[str, Any]) -> Sample:
    known = {**theirs, **mine}
    return Sample(
        text, plain(known.get("expected")), plain(mine.get("adapter")), plain(known.get("base")),
        plain(theirs.get("adapter")),
    )  # fmt: skip
