"""Near duplicates, repetition, and personal data by its form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_zoo.texts.near import Index, fingerprint, normal
from models_zoo.texts.personal import kinds_in
from models_zoo.texts.repetition import evenness

PARCEL = "Where is my parcel? It was sent on Monday and has not arrived."


def test_it_works() -> None:
    index = Index()
    index.add(1, normal("How do I change the password of my account?"))
    index.add(2, normal(PARCEL))
    found = index.most_like(normal(PARCEL.upper().replace("?", ",") + " Yet."), 0.8)
    assert found is not None
    assert found[0] == 2
    assert 0.8 < found[1] < 1
    assert index.most_like(normal("Which of your shops are open on Sundays in July?"), 0.8) is None


def test_the_same_words_are_the_same_text() -> None:
    assert fingerprint("Hello,  World!") == fingerprint("hello world")
    assert fingerprint("Hello World") != fingerprint("Hello Word")


def test_short_texts_are_not_compared() -> None:
    index = Index()
    assert index.meet(1, "thank you", 0.1) is None
    assert index.meet(2, "thank you", 0.1) is None


@given(texts=st.lists(st.text(max_size=60), max_size=6))
def test_any_texts_are_compared(texts: list[str]) -> None:
    index = Index()
    for number, text in enumerate(texts):
        found = index.meet(number, normal(text), 0.5)
        assert found is None or (found[0] < number and 0.5 <= found[1] <= 1)


def test_what_repeats_itself_is_less_even() -> None:
    assert evenness([7] * 50) == 0
    assert evenness(list(range(50))) == pytest.approx(1)
    assert evenness([1, 2] * 25) < 0.5 < evenness([*range(25), *range(25)])
    assert evenness([7] * 5) == 1  # too short to say


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("write to ana.b+c@example.co.uk now", {"email"}),
        ("IBAN DE89 3704 0044 0532 0130 00 please", {"iban"}),
        ("DE89370400440532013001", set()),  # its check fails
        ("card 4111 1111 1111 1111, thanks", {"card"}),
        ("4111 1111 1111 1112", set()),
        ("call +49 30 123 45 67 or 030 1234 5678", {"phone"}),
        ("ana@example.org, +1 (212) 555-0199", {"email", "phone"}),
        ("on 2026-11-23 at 10:00, room 101, 1.234.567,89 EUR, version 1.2.3", set()),
    ],
)
def test_kinds_of_personal_data(text: str, kinds: set[str]) -> None:
    assert kinds_in(text) == kinds
