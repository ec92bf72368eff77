"""Tokenized sentences as text with spans in characters, spaced as the data has it or as people write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from models_zoo.zoo.files import Row, Sentence

NO_SPACE_BEFORE = frozenset(",.;:)]}%?!'’")
NO_SPACE_AFTER = frozenset("([{'’")
JOINING = frozenset("-/–'’")  # between two words: "anti-inflammatory"
Mention = tuple[int, int, str]
"""First token, token after the last, type."""


def mentions(tags: Sequence[str]) -> list[Mention]:
    """The entities of IOB tags; an I- without a beginning begins one, as conlleval reads it."""
    found: list[Mention] = []
    start, kind = 0, ""
    for at, tag in enumerate([*tags, "O"]):
        if kind and tag != f"I-{kind}":
            found.append((start, at, kind))
            kind = ""
        if tag != "O" and not kind:
            start, kind = at, tag[2:]
    return found


def row_of(sentence: Sentence, labels: Mapping[str, str], natural: bool) -> Row:
    """The sentence as a text with spans [start, end, label]; natural: without the spaces that nobody writes."""
    words, tags = sentence
    text = ""
    ends: list[tuple[int, int]] = []
    for at, word in enumerate(words):
        text += " " if at and not (natural and _joined(words, at)) else ""
        ends.append((len(text), len(text) + len(word)))
        text += word
    spans = [[ends[start][0], ends[stop - 1][1], labels[kind]] for start, stop, kind in mentions(tags)]
    return {"text": text, "spans": spans}


def _joined(words: Sequence[str], at: int) -> bool:
    """No space is written between this token and the one before."""
    before, this = words[at - 1], words[at]
    if this in NO_SPACE_BEFORE or before in NO_SPACE_AFTER:
        return True
    return this in JOINING or before in JOINING


def exchanged(sentence: Sentence, known: Mapping[str, Sequence[Sequence[str]]], random: Random) -> Sentence:
    """The sentence with each mention replaced by another of its type."""
    words, tags = sentence
    new_words: list[str] = []
    new_tags: list[str] = []
    at = 0
    for start, stop, kind in mentions(tags):
        other = random.choice(known[kind])
        new_words += [*words[at:start], *other]
        new_tags += [*tags[at:start], f"B-{kind}", *[f"I-{kind}"] * (len(other) - 1)]
        at = stop
    return [*new_words, *words[at:]], [*new_tags, *tags[at:]]


def joined(sentences: Sequence[Sentence]) -> Sentence:
    """Consecutive sentences as one."""
    return [word for words, _ in sentences for word in words], [tag for _, tags in sentences for tag in tags]
