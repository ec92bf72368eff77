"""Replies that must follow a constraint, said by models that would rather say anything else."""

from __future__ import annotations

import json
import re
import string
import threading
from typing import Any

import jsonschema_rs
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.workers.engine.generation.conftest import SIZE, opened, random_model, replies, run, written
from workers.engine.generation import constraints as module
from workers.engine.generation.constraints import MOST_BYTES, ConstraintError
from workers.engine.generation.request import Vocabulary
from workers.engine.protocol import Constraint, EngineError, Sampling

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer", "maximum": 130}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def schema(value: object) -> Constraint:
    return Constraint("json_schema", json.dumps(value))


def test_it_works(vocabulary: Vocabulary) -> None:
    sampling = Sampling(max_tokens=200, temperature=1.0, seed=0, constraint=schema(PERSON))
    (reply,) = written(vocabulary, random_model(0), sampling)
    assert reply.reason == "stop"
    jsonschema_rs.validate(PERSON, json.loads(reply.text))


names = st.text(string.ascii_lowercase, min_size=1, max_size=4)
scalars = st.one_of(
    st.builds(lambda low, span: {"type": "integer", "minimum": low, "maximum": low + span},
              st.integers(-50, 50), st.integers(0, 50)),
    st.builds(lambda least, more: {"type": "string", "minLength": least, "maxLength": least + more},
              st.integers(0, 3), st.integers(0, 5)),
    st.builds(lambda values: {"enum": values},
              st.lists(st.one_of(names, st.integers(-9, 9), st.booleans()), min_size=1, max_size=4)),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": "string", "pattern": "^[A-C]{2,4}$"}]),
)  # fmt: skip


def _object(properties: dict[str, Any], needed: int) -> dict[str, Any]:
    required = sorted(properties)[:needed]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


schemas = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.builds(_object, st.dictionaries(names, inner, max_size=3), st.integers(0, 3)),
        st.builds(
            lambda items, least, more: {
                "type": "array", "items": items, "minItems": least, "maxItems": least + more
            },
            inner, st.integers(0, 2), st.integers(0, 2),
        ),
        st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=5,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schemas, st.integers(0, 100), st.integers(1, 400), st.sampled_from([0.0, 1.0]))
def test_every_reply_fits_its_schema_or_was_cut(
    vocabulary: Vocabulary, wanted: dict[str, Any], seed: int, limit: int, temperature: float
) -> None:
    sampling = Sampling(max_tokens=limit, temperature=temperature, seed=seed, constraint=schema(wanted))
    (reply,) = written(vocabulary, random_model(seed), sampling)
    if reply.reason == "stop":
        jsonschema_rs.validate(wanted, json.loads(reply.text))
    else:
        assert reply.reason == "length"
        assert reply.tokens == limit


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([r"[ab]{3}", r"(yes|no)", "[0-9]{4}-[0-9]{2}", "x*", "é+f"]))
def test_every_reply_matches_its_expression(vocabulary: Vocabulary, seed: int, expression: str) -> None:
    sampling = Sampling(max_tokens=60, temperature=1.0, seed=seed, constraint=Constraint("regex", expression))
    (reply,) = written(vocabulary, random_model(seed, control=2.0), sampling)
    assert reply.reason == "length" or re.fullmatch(expression, reply.text)


def test_a_grammar(vocabulary: Vocabulary) -> None:
    grammar = 'start: "(" inner ")"\ninner: "(" inner ")" | /[ab]/'
    sampling = Sampling(max_tokens=60, temperature=1.0, seed=2, constraint=Constraint("lark", grammar))
    (reply,) = written(vocabulary, random_model(1), sampling)
    assert re.fullmatch(r"\(+[ab]\)+", reply.text)
    assert reply.text.count("(") == reply.text.count(")")


def test_candidates_and_beams_have_their_own_places(vocabulary: Vocabulary) -> None:
    for sampling in (
        Sampling(max_tokens=200, temperature=1.5, n=4, seed=1, constraint=schema(PERSON)),
        Sampling(max_tokens=60, n=3, beams=3, constraint=schema(PERSON)),
    ):
        found = written(vocabulary, random_model(2), sampling)
        assert len({reply.text for reply in found}) == len(found)
        for reply in found:
            assert reply.reason in ("stop", "length")
            if reply.reason == "stop":
                jsonschema_rs.validate(PERSON, json.loads(reply.text))


def test_more_beams_than_sentences_is_said(vocabulary: Vocabulary) -> None:
    sampling = Sampling(max_tokens=20, n=3, beams=3, constraint=Constraint("regex", "a|b"))
    with pytest.raises(EngineError, match="only 2 different replies"):
        written(vocabulary, random_model(2), sampling)


def test_the_constraint_ends_a_reply_even_if_told_to_go_on(vocabulary: Vocabulary) -> None:
    sampling = Sampling(max_tokens=50, ignore_end=True, constraint=Constraint("regex", "abc"))
    (reply,) = written(vocabulary, random_model(2), sampling)
    assert (reply.text, reply.reason) == ("abc", "stop")


def test_white_space_ends(vocabulary: Vocabulary) -> None:
    """A model in love with white space fills no reply with it."""

    def model(tokens: list[int]) -> torch.Tensor:
        row = random_model(0)(tokens)
        for word in (b" ", b"\n", b"\t"):
            row[vocabulary.token_bytes.index(word)] = 50.0
        return row

    sampling = Sampling(max_tokens=400, constraint=schema(_object({"a": {"type": "boolean"}}, 1)))
    (reply,) = written(vocabulary, model, sampling)
    assert reply.reason == "stop"


DEEP = '{"items":' * 3000 + "{}" + "}" * 3000
EXPONENTIAL = {
    "allOf": [{"anyOf": [{"properties": {f"x{j}": {"type": "string"}}} for j in range(20)]} for _ in range(8)]
}


@pytest.mark.parametrize(
    ("constraint", "reason"),
    [
        (Constraint("json_schema", "{"), "EOF"),
        (Constraint("json_schema", "[]"), "object schema"),
        (schema({"type": "robot"}), "Invalid type: robot"),
        (schema({"type": "integer", "minimum": 5, "maximum": 3}), "Unsatisfiable"),
        (schema({"$ref": "#"}), "nothing fits it"),
        (schema({"$ref": "file:///etc/passwd"}), "not present"),
        (schema({"enum": ["x" * MOST_BYTES]}), f"at most {MOST_BYTES} are read"),
        (Constraint("json_schema", DEEP), "recursion limit"),
        (schema(EXPONENTIAL), "too large"),
        (Constraint("regex", "("), "unclosed group"),
        (Constraint("regex", "\ud800"), "surrogates"),
        (Constraint("lark", "start: other"), "unknown name"),
    ],
)
def test_what_cannot_be_followed_is_refused_at_once(
    vocabulary: Vocabulary, constraint: Constraint, reason: str
) -> None:
    with pytest.raises(EngineError, match=reason):
        opened(vocabulary, Sampling(constraint=constraint))


def test_a_hostile_constraint_ends_its_own_reply_alone(vocabulary: Vocabulary) -> None:
    """It compiles quickly, and then its automaton grows past the bounds."""
    hostile = Sampling(
        max_tokens=300,
        temperature=1.0,
        seed=1,
        constraint=Constraint("regex", "((abc|abd|[a-z]{1,40}){1,40}){1,40}"),
    )
    model = random_model(3, control=-100)
    victim, bystander = opened(vocabulary, hostile), opened(vocabulary, Sampling(max_tokens=300))
    run(model, victim, bystander)
    with pytest.raises(ConstraintError, match="constraint: "):
        replies(victim)
    assert replies(bystander)[0].tokens == 300


@pytest.mark.slow
def test_an_ambiguous_grammar_ends_before_it_costs_others_much(vocabulary: Vocabulary) -> None:
    ambiguous = Constraint("lark", 'start: s\ns: s s s | s s | /[a-z]+/ | " "')
    sampling = Sampling(max_tokens=400, temperature=1.0, seed=1, constraint=ambiguous)
    first = opened(vocabulary, sampling)
    run(random_model(3, control=-100), first)
    with pytest.raises(ConstraintError, match=r"too long|oo many items"):
        replies(first)
    assert len(first.generated) < 390


def test_errors_quote_no_reply(vocabulary: Vocabulary) -> None:
    matcher = vocabulary.constraints.compile(Constraint("regex", "secret"))
    with pytest.raises(ConstraintError) as caught:
        matcher.take(vocabulary.token_bytes.index(b"x"))
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_mask_is_what_may_follow(vocabulary: Vocabulary) -> None:
    matcher = vocabulary.constraints.compile(Constraint("regex", "(ab|cd)e?"))
    row = torch.zeros(SIZE)
    matcher.mask(row)
    allowed = {vocabulary.token_bytes[token] for token in (row == 0).nonzero()[:, 0].tolist()}
    assert allowed == {b"a", b"c"}
    other = matcher.copy()
    for word in (b"a", b"b"):
        assert not matcher.completes(vocabulary.token_bytes.index(word))
        matcher.take(vocabulary.token_bytes.index(word))
    assert matcher.completes(vocabulary.token_bytes.index(b"e"))
    assert not matcher.complete
    matcher.take(vocabulary.token_bytes.index(b"e"))
    assert matcher.complete
    assert not other.complete


def test_compiled_ones_are_kept_within_bounds(
    vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMPILED", 4)
    compiler = vocabulary.constraints
    threads = [
        threading.Thread(target=lambda n=n: compiler.compile(Constraint("regex", f"a{{{n % 6 + 1}}}")))
        for n in range(24)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(compiler._compiled) == 4
