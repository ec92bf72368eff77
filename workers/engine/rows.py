"""What the rows that a text is read to mean: probabilities, a vector, spans. What is no number is refused."""

from __future__ import annotations

import math

from models_zoo.llm.card import AdapterCard
from models_zoo.llm.spans import Window, read_spans
from models_zoo.llm.tokenizer import Unit
from workers.engine.protocol import NotFinite, Span

OVERFLOWS = "the adapter's numbers overflow: what comes out is not finite"


def mean(rows: list[list[float]]) -> list[float]:
    """Of each column of the rows [windows, n]. Raises `NotFinite`."""
    found = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    if not all(map(math.isfinite, found)):
        raise NotFinite(OVERFLOWS)
    return found


def unit(vector: list[float]) -> list[float]:
    """The vector at length 1. Raises `NotFinite` for one without a length: hidden states that overflow are none."""
    length = math.hypot(*vector)
    if not 0.0 < length < math.inf:
        raise NotFinite(OVERFLOWS)
    return [value / length for value in vector]


def spans(
    units: list[Unit], cut: list[Window], rows: list[list[list[float]]], card: AdapterCard
) -> list[Span]:
    """The spans that the rows of a text's windows [windows, tokens, tags] describe. Raises `NotFinite`."""
    if not all(math.isfinite(row[0]) for window in rows for row in window):
        raise NotFinite(OVERFLOWS)
    found = read_spans(units, cut, rows, card)
    return [Span(span.start, span.end, span.label, span.score) for span in found]
