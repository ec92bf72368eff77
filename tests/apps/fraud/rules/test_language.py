"""The language of rules: what it says, what it refuses and where, and that nothing else ever happens."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.fraud.rules.language import checked, expression
from apps.fraud.rules.names import NAMES
from apps.fraud.rules.tokens import KEYWORDS, ExpressionError, tokens_of

COLUMNS = {name: np.array([0.0, 1.0, 5.0, np.nan]) for name in NAMES} | {
    "amount": np.array([10.0, 600.0, 1200.0, np.nan]),
    "channel": np.array([0.0, 3.0, 1.0, 2.0]),
    "has_device": np.array([1.0, 0.0, 1.0, 0.0]),
}


def held(text):
    """Which of the four payments it holds for."""
    return np.broadcast_to(expression(text).run(COLUMNS), 4).astype(bool).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("amount > 500", [False, True, True, False]),
        ("amount >= 600 and amount <= 600.0", [False, True, False, False]),
        ("amount != 600", [True, False, True, False]),
        ("not amount > 500", [True, False, False, True]),
        ("has_device", [True, False, True, False]),
        ("has_device == false", [False, True, False, True]),
        ("has_device == 1", [True, False, True, False]),
        ('channel == "card"', [True, False, False, False]),
        ("'card' != channel", [False, True, True, True]),
        ("channel in ['instant', 'online']", [False, True, True, False]),
        ("channel not in ['instant', 'online']", [True, False, False, True]),
        ("amount in [10, 1200]", [True, False, True, False]),
        ("amount / 0 > 1", [False] * 4),
        ("amount - 10 * 2 + -1 == 579", [False, True, False, False]),
        ("2 * amount > 1e3 or has_device and amount < 50", [True, True, True, False]),
        ("(has_device or amount > 500) and not (amount > 1000)", [True, True, False, False]),
        ("true and has_device", [True, False, True, False]),
        ("not " * 119 + "has_device", [False, True, False, True]),
    ],
)
def test_what_it_says(text, expected):
    assert held(text) == expected
    assert _harmless(text)


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("", 1, "is empty"),
        ("  \n ", 1, "is empty"),
        ("amount", 1, "condition"),
        ("1 < 2", 1, "at least one fact"),
        ("  amout > 5", 3, "did you mean amount"),
        ("amount > ", 9, "missing at the end"),
        ("(amount > 5", 12, "missing at the end"),
        ("amount > 5)", 11, "cannot stand here"),
        ("amount = 5", 8, "no part of the language"),
        ("amount.real > 5", 7, "no part of the language"),
        ("amount ** 9 > 1", 9, "cannot stand here"),
        ("9**9**9**9 > amount", 3, "cannot stand here"),
        ("amount // 2 > 1", 9, "cannot stand here"),
        ("amount =~ 'x'", 8, "no part of the language"),
        ("amount > 5 ? true : false", 12, "no part of the language"),
        ("abs(amount) > 5", 1, "no fact abs"),
        ("amount(1) > 5", 1, "no part of the language"),
        ("amount[0] > 5", 1, "no part of the language"),
        ("[x for x in amount]", 2, "no fact x"),
        ("$now > amount", 1, "no part of the language"),
        ('r"x" == channel', 1, "no fact r"),
        ("channel == 'carx'", 12, "names a channel"),
        ("channel == 3", 1, "written as a text"),
        ("channel > 'card'", 1, "can only be =="),
        ("amount == 'card'", 1, "only numbers"),
        ("amount + 'card' > 5", 1, "only numbers"),
        ("-channel == 5", 2, "needs a number"),
        ("amount and has_device", 1, "joins conditions"),
        ("has_device or amount", 15, "joins conditions"),
        ("not amount", 5, "needs a condition"),
        ("1 < amount < 5", 12, "cannot stand here"),
        ("amount in []", 1, "needs a list"),
        ("amount in 5", 1, ""),
        ("amount in ['card']", 1, "the list must hold"),
        ("amount > 1e99", 10, "numbers may be"),
        ("amount > 'x", 10, "does not end"),
        ("amount > 1/0", 11, "divides a number by 0"),
        ("amount > 0 / -0", 12, "divides a number by 0"),
        ("amount > 4 / 2 and amount / 2 > 1 / (3/3 - 1) or score > 1/2", 35, "divides a number by 0"),
        ("amount > 1/0 or score > 1/2 - 3/0", 32, "divides a number by 0"),
        ("((((((((((amount > 1))))))))))", 9, "nested 8 deep"),
        ("amount > 1 or " * 60 + "amount > 1", 501, "at most 500 characters"),
        ("-" * 130 + "amount > 5", 121, "at most 120 words"),
    ],
)
def test_what_it_refuses_and_where(text, position, reason):
    with pytest.raises(ExpressionError) as caught:
        expression(text)
    assert reason in caught.value.reason
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("amount / 0 > 1", 8),
        ("amount / -0.0 > 1", 8),
        ("1 / amount > 2 and amount/(2 - (1 + 1)) > 1", 26),
        ("amount / 2 / --(0) > 1", 12),
        ("score > 4 / 2 + hour / (3 * 0)", 22),
    ],
)
def test_a_division_by_nothing_is_refused_where_rules_are_written(text, position):
    assert not any(held(text))
    with pytest.raises(ExpressionError) as caught:
        checked(text)
    assert (caught.value.position, caught.value.reason) == (position, "divides by 0")


@pytest.mark.parametrize(
    "text",
    [
        "amount / hour > 1",
        "amount / (hour - 0) > 0",
        "0 / amount > 1",
        "amount / 0.5 / (2) > 1",
        "hour in [1]",
    ],
)
def test_other_divisions_are_not(text):
    assert checked(text).names


SIGNS = "== != < >= + - * / ** // % ( ) [ ] , . &. ?? ? : =~ and or not in true null inf for if 1 9e12 0x1f 'card' b'a'"
WORDS = st.sampled_from([*sorted(NAMES), *KEYWORDS, *SIGNS.split()])


FACTS = st.sampled_from(["amount", "score", "hour", "has_device", "payer_count_1h"])
NUMBERS = st.recursive(
    FACTS | st.sampled_from(["0", "1", "2.5", "600"]),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner) | inner.map("-{}".format)
    ),
    max_leaves=5,
)
TRUTHS = st.recursive(
    st.builds("{} {} {}".format, FACTS, st.sampled_from(["==", "!=", "<", ">="]), NUMBERS)
    | st.sampled_from(
        ["has_device", "channel == 'card'", "channel not in ['online', 'cash']", "amount in [10, 600]"]
    ),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
        | inner.map("not ({})".format)
    ),
    max_leaves=6,
)


def _harmless(text):
    """Read, or refused at a place within it."""
    try:
        found = expression(text)
    except ExpressionError as error:
        return 1 <= error.position <= len(text) + 1 and error.reason
    with np.errstate(all="ignore"):
        whole = np.broadcast_to(found.run(COLUMNS), 4)
    singly = [found.run({name: float(COLUMNS[name][at]) for name in found.names}) for at in range(4)]
    return (
        _placed(text)
        and whole.dtype == np.bool_
        and whole.tolist() == singly
        and set(found.names) <= set(NAMES)
    )


def _placed(text):
    """Taken where rules are written, or refused at a division."""
    try:
        checked(text)
    except ExpressionError as error:
        return text[error.position - 1] == "/"
    return True


@settings(max_examples=400, deadline=None)
@given(st.lists(WORDS, max_size=40).map(" ".join))
def test_any_words_are_read_or_refused(text):
    assert _harmless(text)


@settings(max_examples=300, deadline=None)
@given(TRUTHS)
def test_one_payment_is_worked_out_like_many(text):
    assert _harmless(text)


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=120))
def test_any_text_is_read_or_refused(text):
    assert _harmless(text)


def test_the_costliest_is_quick():
    text = " and ".join(["amount > 1"] * 30)
    started = time.perf_counter()
    expression(text)
    assert len(tokens_of(text)) == 119
    assert time.perf_counter() - started < 2
