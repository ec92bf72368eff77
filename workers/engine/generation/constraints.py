"""Replies that must follow a JSON schema, a regular expression or a grammar, by llguidance: after each token
it tells which may follow.

What a caller sends is hostile until proven otherwise. Text size, grammar size, the work of one step and the
automaton's memory are bounded; a constraint past a bound is refused or ends its own reply, and no other.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from llguidance import LLMatcher, LLParserLimits, LLTokenizer, TokenizerWrapper
from torch import Tensor

from models_zoo.llm.tokenizer import ChatTokenizer
from workers.engine.protocol import Constraint, EngineError

MOST_BYTES = 64 * 1024  # of a constraint's text
COMPILED = 64  # kept ready
# without an end to white space a small model fills its reply with it: one space, or a line and its indent
WHITE_SPACE = r"( |\n {0,24})"
# processor time that a reply's constraint may take: others wait meanwhile
SECONDS, SECONDS_A_TOKEN = 1.0, 0.01
LIMITS = LLParserLimits(  # at most 0.1 s of a step, 20 ms of compiling, 40 MB
    initial_lexer_fuel=1_000_000,
    step_lexer_fuel=100_000,
    step_max_items=20_000,
    max_lexer_states=20_000,
    max_grammar_size=200_000,
    verbose_errors=False,  # the long form quotes the reply
)


class ConstraintError(EngineError):
    """A constraint cannot be compiled, or led to nowhere; the message says why."""


class Matcher:
    """Where one reply is in its constraint."""

    def __init__(self, matcher: LLMatcher, tokens: int = 0, spent: float = 0.0) -> None:
        self._matcher, self._tokens, self._spent = matcher, tokens, spent

    def copy(self) -> Matcher:
        """The same place, for another reply."""
        return Matcher(self._matcher.deep_copy(), self._tokens, self._spent)

    def mask(self, row: Tensor) -> None:
        """Put -inf in place of every token of row float32 [vocabulary] that may not follow. Raises
        `ConstraintError`."""
        self._tokens += 1
        began = time.thread_time()
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check(began)
        allowed = np.unpackbits(bits, count=len(row), bitorder="little").view(np.bool_)
        row.masked_fill_(~torch.from_numpy(allowed).to(row.device), float("-inf"))

    def take(self, token: int) -> None:
        """The reply goes on with `token`. Raises `ConstraintError` if it may not."""
        began = time.thread_time()
        self._matcher.consume_token(token)
        self._check(began)

    @property
    def complete(self) -> bool:
        """Nothing may follow."""
        return bool(self._matcher.is_stopped())

    def completes(self, token: int) -> bool:
        """Whether nothing could follow `token`."""
        self.take(token)
        complete, began = self.complete, time.thread_time()
        self._matcher.rollback(1)
        self._check(began)
        return complete

    def _check(self, began: float) -> None:
        self._spent += time.thread_time() - began
        if self._matcher.is_error():
            raise ConstraintError(f"constraint: {_short(self._matcher.get_error())}")
        if self._spent > SECONDS + SECONDS_A_TOKEN * self._tokens:
            raise ConstraintError("constraint: it takes too long to follow; a less ambiguous one may not")


class ConstraintCompiler:
    """Compiles constraints for one vocabulary and keeps the latest; may be used from any thread."""

    def __init__(self, tokenizer: ChatTokenizer, end: int, size: int) -> None:
        self._tokenizer, self._end, self._size = tokenizer, end, size
        self._compiled: OrderedDict[Constraint, LLMatcher] = OrderedDict()
        self._lock = threading.Lock()

    def compile(self, constraint: Constraint) -> Matcher:
        """The beginning of `constraint`, in at most some hundred milliseconds. Raises `ConstraintError`."""
        with self._lock:
            known = self._compiled.get(constraint)
        if known is None:
            known = self._compile(constraint)
        with self._lock:
            self._compiled[constraint] = known
            self._compiled.move_to_end(constraint)
            while len(self._compiled) > COMPILED:
                self._compiled.popitem(last=False)
        return Matcher(known.deep_copy())

    def _compile(self, constraint: Constraint) -> LLMatcher:
        size = len(constraint.text.encode(errors="replace"))
        if size > MOST_BYTES:
            raise ConstraintError(f"constraint.text is {size} bytes, at most {MOST_BYTES} are read")
        try:
            grammar = _GRAMMARS[constraint.kind](constraint.text)
            matcher = LLMatcher(self._vocabulary, grammar, log_level=0, limits=LIMITS)
        except ValueError as error:
            raise ConstraintError(f"constraint.text: {error}") from error
        first = matcher.deep_copy()
        first.compute_bitmask()  # some lead nowhere from the start
        if first.is_error():
            raise ConstraintError(f"constraint.text: {_short(first.get_error())}")
        return matcher

    @cached_property
    def _vocabulary(self) -> LLTokenizer:
        return LLTokenizer(
            TokenizerWrapper(_Words(self._tokenizer, self._end)), n_vocab=self._size, eos_token=[self._end]
        )


class _Words:
    """The tokenizer as llguidance asks for it."""

    bos_token_id = None

    def __init__(self, tokenizer: ChatTokenizer, end: int) -> None:
        self.eos_token_id = end
        self.tokens: Sequence[bytes] = tokenizer.token_bytes
        self.special_token_ids = [token for token, data in enumerate(self.tokens) if not data]
        self._encode = tokenizer.encode

    def __call__(self, text: str) -> list[int]:
        return self._encode(text)


def _schema(text: str) -> str:
    grammar: str = LLMatcher.grammar_from_json_schema(text, defaults={"whitespace_pattern": WHITE_SPACE})
    return grammar


_GRAMMARS: dict[str, Callable[[str], str]] = {
    "json_schema": _schema,
    "regex": LLMatcher.grammar_from_regex,
    "lark": LLMatcher.grammar_from_lark,
}


def _short(message: str) -> str:
    """llguidance's reason, without the state it adds."""
    reason = message.partition("\n<")[0].strip()
    return "nothing fits it" if reason in ("", "NoExtension", "NoExtensionBias") else reason
