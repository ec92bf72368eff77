"""What the rows that a text is read to mean: probabilities, a vector, spans. What is no number is refused."""

from __future__ import annotations

import math

from models_zoo.llm.card import AdapterCard
from models_zoo.llm.spans import Window, spans_of, windows
from models_zoo.llm.tokenizer import Unit
from workers.engine.protocol import NotFinite, Span

OVERFLOWS = "the adapter's numbers overflow: what comes out is not finite"


def cut_windows(card: AdapterCard, ids: list[int]) -> list[Window]:
    """The windows in which a text of these tokens is read."""
    return windows(len(ids), card.max_tokens, card.overlap_tokens)


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
    """Each unit's tag comes from its first token (its last, in causal mode), in the window that keeps it.

    rows: of each window, each of its tokens' probabilities [windows, tokens, tags]. Raises `NotFinite`.
    """
    tags, scores = [], []
    window = 0
    for one in units:
        position = one.first_token if card.bidirectional else one.first_token + one.tokens - 1
        while position >= cut[window].keep_stop:
            window += 1
        row = rows[window][position - cut[window].start]
        tags.append(max(range(len(row)), key=row.__getitem__))
        scores.append(row[tags[-1]])
    if not all(map(math.isfinite, scores)):
        raise NotFinite(OVERFLOWS)
    return [Span(s.start, s.end, s.label, s.score) for s in spans_of(units, tags, scores, card.labels)]
