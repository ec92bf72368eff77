"""The language of rules: `payer_is_new_payee and amount > 500 and channel in ["instant", "online"]`.

rule-engine gives grammar and tree. What reaches it is cut into tokens here first, so that a rule is comparisons,
arithmetic, and, or, not and in over the given names and nothing else: no attributes, calls, powers or patterns. The
tree becomes a function of columns: a rule is worked out for all payments of a batch at once.
"""

import operator
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import rule_engine
from rule_engine import ast
from rule_engine.errors import ArithmeticError as ConstantError
from rule_engine.errors import EngineError, RuleSyntaxError

from apps.fraud.payload import CHANNELS
from apps.fraud.rules.names import NAMES, Columns
from apps.fraud.rules.tokens import ExpressionError, Token, tokens_of

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le,
}  # fmt: skip
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul,
    "tdiv": lambda left, right: _divided(left, right),
}  # fmt: skip


@dataclass(slots=True, frozen=True)
class Expression:
    """A condition that can be worked out: the names it reads, and bool [B] of their columns [B], or one of numbers."""

    text: str
    names: tuple[str, ...]
    run: Callable[[Columns], Any]


@dataclass(slots=True, frozen=True)
class _Part:
    """A part of an expression: number, flag, truth, channel, text or list; `position` is that of its first name."""

    kind: str
    run: Callable[[Columns], Any]
    position: int
    value: Any = None

    @property
    def is_number(self) -> bool:
        return self.kind in ("number", "flag")

    @property
    def is_truth(self) -> bool:
        return self.kind in ("truth", "flag")

    @property
    def truth(self) -> Callable[[Columns], Any]:
        """True or false; a flag is a column of numbers."""
        return (lambda columns: self.run(columns) > 0) if self.kind == "flag" else self.run


def expression(text: str) -> Expression:
    """Read an expression. Raises ExpressionError."""
    tokens = tokens_of(text)
    names = [token for token in tokens if token.is_fact]
    if not names:
        raise ExpressionError(1, "must read at least one fact")
    part = _Reader(names).read(_tree(tokens))
    if not part.is_truth:
        raise ExpressionError(
            names[0].position, "must be a condition that is true or false, as a comparison is"
        )
    return Expression(text, tuple(dict.fromkeys(one.text for one in names)), part.truth)


def checked(text: str) -> Expression:
    """Read an expression that somebody writes now. Raises ExpressionError, for a number below the line that is 0 too:
    what is stored is read without that, and such a division gives nothing."""
    found, tokens = expression(text), tokens_of(text)
    for place, token in enumerate(tokens):
        if token.text == "/" and _is_zero(_operand(tokens, place + 1)):
            raise ExpressionError(token.position, "divides by 0")
    return found


def _operand(tokens: list[Token], start: int) -> list[Token]:
    """What a sign before `start` works on: minuses, and one word or what stands in brackets."""
    end, depth = start, 0
    while tokens[end].text == "-" or depth or tokens[end].text == "(":
        depth += (tokens[end].text == "(") - (tokens[end].text == ")")
        end += 1
        if tokens[end - 1].text == ")" and not depth:
            return tokens[start:end]
    return tokens[start : end + 1]


def _is_zero(tokens: list[Token]) -> bool:
    if any(token.is_fact for token in tokens):
        return False
    tree = _tree(tokens)
    return isinstance(tree, ast.FloatExpression) and not tree.value


def _tree(tokens: list[Token]) -> ast.ExpressionBase:
    """rule-engine's tree of the tokens, which it gets one blank apart: it cannot read them otherwise than we did."""
    starts, text = [], ""
    for token in tokens:
        starts.append(len(text))
        text += token.text + " "
    try:
        return rule_engine.Rule(text).statement.expression
    except RuleSyntaxError as error:
        place = bisect_right(starts, error.token.lexpos) - 1 if error.token is not None else None
        raise _misplaced(tokens, place) from None
    except ConstantError:
        raise ExpressionError(_divided_by_zero(tokens).position, "divides a number by 0") from None
    except (EngineError, ArithmeticError, ValueError, TypeError, RecursionError) as error:
        reason = getattr(error, "message", "") or "cannot be worked out"
        raise ExpressionError(tokens[0].position, reason) from None


def _divided_by_zero(tokens: list[Token]) -> Token:
    """The division that cannot be: once it and those before it are made products, the rest can be worked out."""
    places = [place for place, token in enumerate(tokens) if token.text == "/"]

    def works(count: int) -> bool:
        changed = set(places[:count])
        try:
            rule_engine.Rule(" ".join("*" if at in changed else one.text for at, one in enumerate(tokens)))
        except ConstantError:
            return False
        return True

    return tokens[places[bisect_left(range(1, len(places)), True, key=works)]]


def _misplaced(tokens: list[Token], place: int | None) -> ExpressionError:
    if place is None:
        last = tokens[-1]
        return ExpressionError(last.position + len(last.text), "something is missing at the end")
    return ExpressionError(tokens[place].position, f"{tokens[place].text[:60]} cannot stand here")


class _Reader:
    """Makes a function of a tree. Names come in the order in which they are written, so each finds its position."""

    def __init__(self, names: list[Token]) -> None:
        self._names: Iterator[Token] = iter(names)
        self._last = names[0].position

    def read(self, node: Any) -> _Part:
        for kind, read in self._KINDS:
            if isinstance(node, kind):
                found: _Part = read(self, node)
                return found
        raise ExpressionError(self._last, "this is no part of the language")

    def _number(self, node: Any) -> _Part:
        value = float(node.value)
        if not np.isfinite(value):
            raise ExpressionError(self._last, "this number is too large")
        return _Part("number", lambda columns: value, self._last)

    def _boolean(self, node: Any) -> _Part:
        value = bool(node.value)
        return _Part("truth", lambda columns: value, self._last)

    def _text(self, node: Any) -> _Part:
        return _Part("text", lambda columns: np.nan, self._last, node.value)

    def _list(self, node: Any) -> _Part:
        return _Part("list", lambda columns: np.nan, self._last, [self.read(one) for one in node.value])

    def _name(self, node: Any) -> _Part:
        token = next(self._names)
        name, self._last = token.text, token.position
        return _Part(NAMES[name][0], lambda columns: columns[name], token.position)

    def _unary(self, node: Any) -> _Part:
        part = self.read(node.right)
        if node.type == "not":
            self._need(part.is_truth, part, "not needs a condition")
            holds = part.truth
            return _Part("truth", lambda columns: holds(columns) ^ True, part.position)
        self._need(part.is_number, part, "a minus needs a number")
        return _Part("number", lambda columns: -part.run(columns), part.position)

    def _logic(self, node: Any) -> _Part:
        left, right = self.read(node.left), self.read(node.right)
        for part in (left, right):
            self._need(part.is_truth, part, f"{node.type} joins conditions, and this is none")
        join = operator.and_ if node.type == "and" else operator.or_
        first, second = left.truth, right.truth
        return _Part("truth", lambda columns: join(first(columns), second(columns)), left.position)

    def _arithmetic(self, node: Any) -> _Part:
        left, right = self.read(node.left), self.read(node.right)
        for part in (left, right):
            self._need(part.is_number, part, "only numbers can be calculated with")
        work = _ARITHMETIC.get(node.type)
        if work is None:
            raise ExpressionError(left.position, "this is no part of the language")
        return _Part("number", lambda columns: work(left.run(columns), right.run(columns)), left.position)

    def _comparison(self, node: Any) -> _Part:
        left, right = self.read(node.left), self.read(node.right)
        equality = node.type in ("eq", "ne")
        if "channel" in (left.kind, right.kind):
            left, right = (left, right) if left.kind == "channel" else (right, left)
            self._need(equality, left, "a channel can only be == or != another, or in a list")
            right = self._channel(right)
        elif equality and left.is_truth and right.is_truth:
            pass
        else:
            for part in (left, right):
                self._need(part.is_number, part, "only numbers can be compared so")
        return _Part("truth", _compared(_COMPARE[node.type], left.run, right.run), left.position)

    def _contains(self, node: Any) -> _Part:
        member, container = self.read(node.member), self.read(node.container)
        self._need(
            container.kind == "list" and bool(container.value), member, "in needs a list such as [1, 2]"
        )
        if member.kind == "channel":
            values = [self._channel(one).run for one in container.value]
        else:
            for part in (member, *container.value):
                self._need(part.is_number, part, "the list must hold what stands before in")
            values = [one.run for one in container.value]
        return _Part("truth", _among(member.run, values), member.position)

    def _channel(self, part: _Part) -> _Part:
        if part.kind == "channel":
            return part
        self._need(part.kind == "text", part, 'a channel is written as a text, such as "card"')
        code = float(CHANNELS.index(part.value))
        return _Part("channel", lambda columns: code, part.position)

    @staticmethod
    def _need(holds: bool, part: _Part, reason: str) -> None:
        if not holds:
            raise ExpressionError(part.position, reason)

    _KINDS = (
        (ast.SymbolExpression, _name),
        (ast.FloatExpression, _number),
        (ast.BooleanExpression, _boolean),
        (ast.StringExpression, _text),
        (ast.ArrayExpression, _list),
        (ast.UnaryExpression, _unary),
        (ast.LogicExpression, _logic),
        (ast.ComparisonExpression, _comparison),
        (ast.ContainsExpression, _contains),
        ((ast.AddExpression, ast.SubtractExpression, ast.ArithmeticExpression), _arithmetic),
    )


def _compared(compare: Callable[[Any, Any], Any], left: Any, right: Any) -> Callable[[Columns], Any]:
    """A comparison with what is not there is false, that it differs as well."""
    if compare is not operator.ne:
        return lambda columns: compare(left(columns), right(columns))

    def differs(columns: Columns) -> Any:
        a, b = left(columns), right(columns)
        return (a != b) & (a == a) & (b == b)

    return differs


def _among(member: Any, values: list[Any]) -> Callable[[Columns], Any]:
    def run(columns: Columns) -> Any:
        value = member(columns)
        found: Any = False
        for one in values:
            found = found | (value == one(columns))
        return found

    return run


def _divided(left: Any, right: Any) -> Any:
    """By 0 it gives nothing."""
    if isinstance(right, np.ndarray):
        return left / np.where(right == 0, np.nan, right)
    return left / right if right else np.nan
