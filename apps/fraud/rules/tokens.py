"""An expression cut into tokens, each with its place: only what the language has reaches the grammar."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from apps.fraud.payload import CHANNELS
from apps.fraud.rules.names import NAMES

LONGEST, MOST_TOKENS, DEEPEST = 500, 120, 8
LARGEST = 1e12
KEYWORDS = ("and", "or", "not", "in", "true", "false")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d{1,2})?)|(?P<name>[A-Za-z_]\w*)|(?P<text>\"[^\"\\\n]*\"|'[^'\\\n]*')"
    r"|(?P<sign>==|!=|>=|<=|[-><+*/()\[\],]))",
    re.ASCII,
)
_OPEN, _CLOSE = ("(", "["), (")", "]")


class ExpressionError(Exception):
    """What is wrong with an expression, and at which character, counted from 1."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"character {position}: {reason}")
        self.position, self.reason = position, reason


@dataclass(slots=True, frozen=True)
class Token:
    """A word, number, text or sign, and at which character it begins, counted from 1."""

    kind: str
    text: str
    position: int

    @property
    def is_fact(self) -> bool:
        """Whether it names a fact."""
        return self.kind == "name" and self.text not in KEYWORDS


def tokens_of(text: str) -> list[Token]:
    """The tokens of an expression, each of which the language has. Raises ExpressionError."""
    if len(text) > LONGEST:
        raise ExpressionError(LONGEST + 1, f"must have at most {LONGEST} characters")
    found = list(_cut(text.rstrip()))
    if not found:
        raise ExpressionError(1, "is empty")
    if len(found) > MOST_TOKENS:
        raise ExpressionError(found[MOST_TOKENS].position, f"must have at most {MOST_TOKENS} words and signs")
    _check_depth(found)
    for token in found:
        reason = _wrong(token)
        if reason:
            raise ExpressionError(token.position, reason)
    return found


def _cut(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise ExpressionError(at + 1, _unreadable(text[at]))
        kind = match.lastgroup or ""
        yield Token(kind, match[kind], match.start(kind) + 1)
        at = match.end()


def _unreadable(character: str) -> str:
    if character in "\"'":
        return "this text does not end (texts have no backslashes)"
    return f"{character!r} is no part of the language"


def _check_depth(tokens: list[Token]) -> None:
    depth = 0
    for token in tokens:
        depth += (token.text in _OPEN) - (token.text in _CLOSE)
        if depth > DEEPEST:
            raise ExpressionError(token.position, f"brackets may be nested {DEEPEST} deep at most")


def _wrong(token: Token) -> str:
    """Why a token cannot be, empty if it can."""
    if token.is_fact and token.text not in NAMES:
        near = get_close_matches(token.text, (*NAMES, *KEYWORDS), 1)
        return f"there is no fact {token.text[:60]}" + (f"; did you mean {near[0]}?" if near else "")
    if token.kind == "number" and float(token.text) > LARGEST:
        return f"numbers may be {LARGEST:.0e} at most"
    if token.kind == "text" and token.text[1:-1] not in CHANNELS:
        return f"a text names a channel, one of {', '.join(CHANNELS)}"
    return ""
