"""Tagging's bookkeeping, without torch: windows over long texts, BIO tags, spans in characters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models_zoo.llm.card import AdapterCard
from models_zoo.llm.tokenizer import Unit


@dataclass(slots=True, frozen=True)
class Window:
    """Positions start .. stop of a long sequence are read together; keep .. keep_stop are answered from
    here."""

    start: int
    stop: int
    keep: int
    keep_stop: int


@dataclass(slots=True, frozen=True)
class TaggedSpan:
    """Characters start .. end of a text carry `label`."""

    start: int
    end: int
    label: str
    score: float


def windows(length: int, size: int, overlap: int) -> list[Window]:
    """Windows of at most `size` over `length` positions; neighbours share `overlap` and meet in its
    middle."""
    if length <= size:
        return [Window(0, length, 0, length)]
    step = size - overlap
    starts = [*range(0, length - size, step), length - size]
    result = []
    keep = 0
    for index, start in enumerate(starts):
        last = index == len(starts) - 1
        keep_stop = length if last else (starts[index + 1] + start + size) // 2
        result.append(Window(start, start + size, keep, keep_stop))
        keep = keep_stop
    return result


def cut_windows(card: AdapterCard, length: int) -> list[Window]:
    """The windows in which an adapter reads a text of so many tokens."""
    return windows(length, card.max_tokens, card.overlap_tokens)


def tags_of(units: Sequence[Unit], spans: Iterable[tuple[int, int, str]], labels: Sequence[str]) -> list[int]:
    """BIO tag of each unit: 0 outside, 1 + 2 i begins label i, 2 + 2 i continues it."""
    tags = [0] * len(units)
    for start, end, label in spans:
        begin = 1 + 2 * labels.index(label)
        inside = [index for index, unit in enumerate(units) if unit.start < end and unit.end > start]
        for position, index in enumerate(inside):
            tags[index] = begin if position == 0 else begin + 1
    return tags


def spans_of(
    units: Sequence[Unit], tags: Sequence[int], scores: Sequence[float], labels: Sequence[str]
) -> list[TaggedSpan]:
    """The spans that a tag sequence describes; a continuation without a beginning begins one."""
    spans: list[TaggedSpan] = []
    current: list[int] = []
    label = 0
    for index, tag in enumerate([*tags, 0]):
        kind = (tag + 1) // 2  # 0 outside, else 1 + the label's number
        if current and not (kind == label and tag % 2 == 0):
            spans.append(_span(units, scores, current, labels[label - 1]))
            current = []
        if kind:
            current.append(index)
        label = kind
    return spans


def read_spans(
    units: Sequence[Unit], cut: Sequence[Window], rows: Sequence[Sequence[Sequence[float]]], card: AdapterCard
) -> list[TaggedSpan]:
    """The spans in a text from the tag probabilities of each window's tokens, [windows][tokens][tags].

    Each unit's tag comes from its first token (its last, in causal mode), in the window that keeps it.
    """
    tags, scores = [], []
    window = 0
    for unit in units:
        position = unit.first_token if card.bidirectional else unit.first_token + unit.tokens - 1
        while position >= cut[window].keep_stop:
            window += 1
        row = rows[window][position - cut[window].start]
        tags.append(max(range(len(row)), key=row.__getitem__))
        scores.append(row[tags[-1]])
    return spans_of(units, tags, scores, card.labels)


def _span(units: Sequence[Unit], scores: Sequence[float], inside: list[int], label: str) -> TaggedSpan:
    score = sum(scores[index] for index in inside) / len(inside)
    return TaggedSpan(units[inside[0]].start, units[inside[-1]].end, label, score)
