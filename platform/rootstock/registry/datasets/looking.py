"""Looks through a data set, line by line, and writes its report."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.texts.near import Index, fingerprint, normal
from models_zoo.texts.personal import kinds_in
from models_zoo.texts.repetition import evenness
from rootstock.registry.datasets.examples import fields_of
from rootstock.registry.datasets.measuring import Size, median, size_of
from rootstock.registry.datasets.report import Bar, Finding, Kind, Label, Report, Tokens, bar_of

NEAR = 0.8  # of their pieces are the same
MAX_TOKENS, LEAST_EVENNESS = 256, 0.5
MOST_LABELS = 200
Row = dict[str, Any]


def asked_of(task: str, row: Row) -> str:
    """What an example asks: a test set that asks the same gives its answers away."""
    if "text" in row:
        return str(row["text"])
    turns = row["messages"] if task == "preference" else row["messages"][:-1]
    return "\n".join(turn["content"] for turn in turns if turn["role"] != "system")


def asked_fingerprint(task: str, row: Row) -> bytes:
    """Of what an example asks."""
    return fingerprint(asked_of(task, row))


@dataclass(slots=True)
class TestSet:
    """A frozen test set, as far as leakage needs it: what its examples ask, by their lines."""

    id: UUID
    name: str
    asked: dict[bytes, int] = field(default_factory=dict)
    index: Index = field(default_factory=Index)

    def read(self, task: str, rows: Iterable[Row], near: bool = True) -> "TestSet":
        """Take its examples in; `near` also to be found by what is nearly the same."""
        for line, row in enumerate(rows, start=1):
            text = asked_of(task, row)
            self.asked.setdefault(fingerprint(text), line)
            if near:
                self.index.add(line, normal(text))
        return self


@dataclass(slots=True)
class Look:
    """One pass over a data set. tokenizer: None where no base was converted yet; then no tokens are counted."""

    task: str
    tokenizer: ChatTokenizer | None
    tests: list[TestSet]
    max_tokens: int = MAX_TOKENS
    least_evenness: float = LEAST_EVENNESS
    _found: dict[tuple[str, str], Finding] = field(default_factory=dict)
    _bars: dict[tuple[int, int], Bar] = field(default_factory=dict)
    _labels: Counter[str] = field(default_factory=Counter)
    _unlabelled: int = 0
    _lengths: list[int] = field(default_factory=list)
    _learned: int = 0
    _whole: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    _index: Index = field(default_factory=Index)

    def report(
        self, rows: Iterable[Row], about: Mapping[str, str] | None, told: Callable[[int], None] | None = None
    ) -> Report:
        """Look at every example. about: the tokenizer's base, by name and fingerprint. told: hears each line."""
        began, line = time.monotonic(), 0
        for line, row in enumerate(rows, start=1):
            self._line(line, row)
            if told:
                told(line)
        return Report(
            rows=line,
            sequences=self._sequences,
            max_tokens=self.max_tokens,
            least_evenness=self.least_evenness,
            tokens=self._tokens(about) if about else None,
            lengths=[self._bars[key] for key in sorted(self._bars)],
            labels=[Label(name=name, count=count) for name, count in self._labels.most_common(MOST_LABELS)],
            unlabelled=self._unlabelled,
            problems=sorted(
                self._found.values(), key=lambda one: (one.severity != "blocking", one.kind, one.detail)
            ),
            tests=[test.id for test in self.tests],
            seconds=round(time.monotonic() - began, 3),
        )

    @property
    def _sequences(self) -> int:
        return 2 if self.task == "preference" else 1

    def _line(self, line: int, row: Row) -> None:
        named = fields_of(row)
        texts = [text for _, text in named]
        self._alike(line, row, normal("\n".join(texts)))
        self._leaks(line, row)
        self._labelled(row)
        self._personal(line, named)
        if self.tokenizer is not None:
            self._size(line, size_of(self.task, row, self.tokenizer))
            even = min(map(evenness, self.tokenizer.encode_many(texts)))
            if even < self.least_evenness:
                self._problem("repetitive").add(line, value=even)

    def _alike(self, line: int, row: Row, text: str) -> None:
        told = fingerprint(repr(row.get("labels", row.get("spans", ""))))
        first, labels = self._whole.setdefault(fingerprint(text), (line, told))
        if first != line:
            self._problem("duplicate" if labels == told else "contradiction").add(line, first)
        elif near := self._index.meet(line, text, NEAR):
            self._problem("near_duplicate").add(line, *near)

    def _leaks(self, line: int, row: Row) -> None:
        text = asked_of(self.task, row)
        for test in self.tests:
            if there := test.asked.get(fingerprint(text)):
                self._leak("leak", test).add(line, there)
            elif near := test.index.most_like(normal(text), NEAR):
                self._leak("near_leak", test).add(line, *near)

    def _personal(self, line: int, named: list[tuple[str, str]]) -> None:
        where = defaultdict[str, list[str]](list)
        for path, text in named:
            for kind in kinds_in(text):
                where[kind].append(path)
        for kind, fields in sorted(where.items()):
            self._problem("personal", kind).add(line, fields=fields)

    def _leak(self, kind: Kind, test: TestSet) -> Finding:
        found = self._problem(kind, str(test.id))
        found.detail, found.dataset, found.dataset_name = "", test.id, test.name
        found.severity = "blocking" if kind == "leak" else "warning"
        return found

    def _labelled(self, row: Row) -> None:
        if "text" in row:
            given = row["labels"] if "labels" in row else [span[2] for span in row["spans"]]
            self._labels.update(given)
            self._unlabelled += not given

    def _size(self, line: int, size: Size) -> None:
        if size.problem:
            self._problem("unusable", size.problem).add(line)
            return
        self._lengths.append(size.tokens)
        self._learned += size.learned
        bar = self._bar(size.tokens)
        bar.rows, bar.tokens = bar.rows + 1, bar.tokens + size.tokens
        self._bar(size.first).first += 1
        if size.first > self.max_tokens:
            self._problem("unusable", f"nothing to learn is left within {self.max_tokens} tokens").add(line)
        elif size.tokens > self.max_tokens * self._sequences:
            self._problem("long").add(line, value=size.tokens)

    def _bar(self, tokens: int) -> Bar:
        least, most = bar_of(tokens)
        return self._bars.setdefault((least, most), Bar(least=least, most=most))

    def _tokens(self, about: Mapping[str, str]) -> Tokens:
        return Tokens(
            base=about["name"],
            fingerprint=about["fingerprint"],
            total=sum(self._lengths),
            learned=self._learned,
            longest=max(self._lengths, default=0),
            median=median(self._lengths),
        )

    def _problem(self, kind: Kind, detail: str = "") -> Finding:
        return self._found.setdefault((kind, detail), Finding(kind=kind, detail=detail))
