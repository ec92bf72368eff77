"""Making one thing wrong in a good answer, so that it is known what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

NUMBER = re.compile(r"\d+(?:\.\d+)?")
NEGATED = (
    (re.compile(r"\b(is|are|was|were|can|may|should|will|does|do|has|have)\b(?! not)"), r"\1 not"),
    (re.compile(r"\b(is|are|can|may|should|does|do|has|have) not\b"), r"\1"),
)
OPPOSITES = (
    ("increase", "decrease"), ("high", "low"), ("more", "less"), ("before", "after"), ("common", "rare"),
    ("most", "few"), ("always", "never"), ("all", "none"), ("men", "women"), ("left", "right"), ("acute", "chronic"),
    ("adults", "infants"), ("early", "late"), ("mild", "severe"), ("upper", "lower"), ("dominant", "recessive"),
)  # fmt: skip
WORDS = {one: other for pair in OPPOSITES for one, other in (pair, pair[::-1])}
_WORD = re.compile(rf"\b({'|'.join(WORDS)})\b")


def other_number(text: str, random: Random) -> str | None:
    """One number changed; None where there is none."""
    found = list(NUMBER.finditer(text))
    if not found:
        return None
    one = random.choice(found)
    value = float(one.group())
    changed = value * random.choice((2, 3, 10)) + random.choice((0, 1, 5)) or 7
    return f"{text[: one.start()]}{changed:g}{text[one.end() :]}"


def negated(text: str, random: Random) -> str | None:
    """A "not" put in or taken out; None where no verb allows it."""
    pattern, new = random.choice(NEGATED)
    changed = pattern.sub(new, text, count=1)
    return changed if changed != text else None


def opposite(text: str, random: Random) -> str | None:
    """One word turned into its opposite; None where there is none."""
    found = list(_WORD.finditer(text))
    if not found:
        return None
    one = random.choice(found)
    return f"{text[: one.start()]}{WORDS[one.group()]}{text[one.end() :]}"


WAYS: Sequence[Callable[[str, Random], str | None]] = (other_number, negated, opposite)


def falsified(text: str, random: Random) -> str | None:
    """The text with one thing in it that its source does not say; None where no way was found."""
    ways = list(WAYS)
    random.shuffle(ways)
    return next((changed for way in ways if (changed := way(text, random)) is not None), None)
