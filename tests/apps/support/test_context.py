"""What the model is shown."""

from hypothesis import given
from hypothesis import strategies as st

from apps.support.context import MESSAGE_OVERHEAD, Said, build_messages, tone_hint


def words(text: str) -> int:
    return len(text.split())


def turns(count: int) -> list[Said]:
    """A greeting, then questions and answers of four words each, ending with a question."""
    spoken = [Said("assistant", "I am an AI")]
    for number in range(count):
        spoken += [Said("user", f"question {number} is this"), Said("assistant", f"answer {number} is that")]
    return spoken[:-1]


def test_it_works():
    messages = build_messages("Be brief.", "anger", turns(2), 1000, words)
    assert messages[0]["role"] == "system"
    assert messages[0]["content"].startswith("Be brief. The customer is upset (anger).")
    assert [m["role"] for m in messages[1:]] == ["user", "assistant", "user"]


def test_old_turns_go_first_and_the_system_prompt_stays():
    messages = build_messages("Be brief.", "neutral", turns(10), 40, words)
    assert messages[0]["content"] == "Be brief."
    assert messages[-1]["content"] == "question 9 is this"
    assert messages[1]["role"] == "user"
    assert "question 0 is this" not in [m["content"] for m in messages]


def test_the_question_stays_though_it_is_over_the_budget():
    messages = build_messages("Be brief.", "", [Said("user", "word " * 500)], 100, words)
    assert [m["role"] for m in messages] == ["system", "user"]


@given(st.integers(1, 30), st.integers(30, 400))
def test_the_budget_holds_and_history_is_a_tail(count, budget):
    said = turns(count)
    messages = build_messages("Be brief.", "joy", said, budget, words)
    assert sum(words(m["content"]) + MESSAGE_OVERHEAD for m in messages) <= budget
    kept = [m["content"] for m in messages[1:]]
    assert kept == [turn.content for turn in said][-len(kept) :]
    assert messages[1]["role"] == "user"


def test_only_emotion_changes_the_hint():
    assert tone_hint("neutral") == tone_hint("curiosity") == tone_hint("") == ""
    assert tone_hint("annoyance") != tone_hint("joy") != ""
