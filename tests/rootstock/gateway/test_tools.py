"""Tools: told to the model, forced into form, read back."""

import json

import openai as client_library
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer

from rootstock.gateway.chat_schemas import ToolCallIn, ToolIn
from rootstock.gateway.tool_reader import Arguments, Called, Said, ToolReader
from rootstock.gateway.tools import call_told, grammar

ASKED = [{"role": "user", "content": "How warm is it in Bonn?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather now",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CLOCK = {"type": "function", "function": {"name": "clock"}}
CALLS = [
    '<tool_call>\n{"name": "weather", ',
    '"arguments": {"city": "Bo',
    'nn } \\" ]"}}\n</tool',
    '_call>\n<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>',
]


def accepts(text: str, lark: str) -> bool:
    """Whether a grammar takes all of the text, as the engine asks."""
    tokenizer = LLTokenizer("byte")
    matcher = LLMatcher(tokenizer, LLMatcher.grammar_from_lark(lark))
    tokens = tokenizer.tokenize_str(text)
    return bool(matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting())


def test_calls_come_back_as_calls(openai, engine) -> None:
    engine.words = CALLS
    tools = [WEATHER | {"strict": True}, CLOCK]  # as agent frameworks send it
    answer = openai.chat.completions.create(model="base", messages=ASKED, tools=tools)
    choice = answer.choices[0]
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    weather, clock = choice.message.tool_calls
    assert (weather.function.name, json.loads(weather.function.arguments)) == (
        "weather",
        {"city": 'Bonn } " ]'},
    )
    assert (clock.function.name, clock.function.arguments) == ("clock", "{}")
    assert weather.id != clock.id
    system = engine.asked[0][0][0]
    assert system["role"] == "system"
    assert '"description": "The weather now"' in system["content"]
    assert "strict" not in system["content"]


def test_calls_stream_as_deltas(openai, engine) -> None:
    engine.words = CALLS
    found: dict[int, dict] = {}
    reasons = []
    for chunk in openai.chat.completions.create(
        model="base", messages=ASKED, tools=[WEATHER, CLOCK], stream=True
    ):
        reasons.append(chunk.choices[0].finish_reason)
        assert not chunk.choices[0].delta.content
        for each in chunk.choices[0].delta.tool_calls or ():
            call = found.setdefault(each.index, {"name": "", "arguments": "", "ids": []})
            call["name"] += each.function.name or ""
            call["arguments"] += each.function.arguments or ""
            call["ids"] += [each.id] if each.id else []
    assert reasons[-1] == "tool_calls"
    assert json.loads(found[0]["arguments"]) == {"city": 'Bonn } " ]'}
    assert [call["name"] for call in found.values()] == ["weather", "clock"]
    assert all(len(call["ids"]) == 1 for call in found.values())


def test_likelihoods_come_with_calls(openai, engine) -> None:
    engine.words = CALLS
    told = ""
    for chunk in openai.chat.completions.create(
        model="base", messages=ASKED, tools=[WEATHER, CLOCK], stream=True, logprobs=True
    ):
        for choice in chunk.choices:
            told += "".join(each.token for each in choice.logprobs.content) if choice.logprobs else ""
    assert told == "".join(CALLS)


@pytest.mark.parametrize("cut", ["<tool_", "<tool_call>\n", '<tool_call>\n{"name": "clo'])
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_was_cut_off_is_no_text(openai, engine, cut, stream) -> None:
    engine.words = [cut, "more"]
    asked = {"model": "base", "messages": ASKED, "tools": [WEATHER, CLOCK], "max_tokens": 1}
    if stream:
        choices = [chunk.choices[0] for chunk in openai.chat.completions.create(**asked, stream=True)]
        said, reason = "".join(each.delta.content or "" for each in choices), choices[-1].finish_reason
    else:
        choice = openai.chat.completions.create(**asked).choices[0]
        said, reason = choice.message.content or "", choice.finish_reason
    assert (said, reason) == ("", "length")


def test_parameters_are_an_object(openai) -> None:
    wrong = {"type": "function", "function": {"name": "clock", "parameters": {"type": "wurst"}}}
    with pytest.raises(client_library.BadRequestError, match="schema of an object") as caught:
        openai.chat.completions.create(model="base", messages=ASKED, tools=[wrong])
    assert caught.value.param == "tools.0.function.parameters"


def test_words_stay_words(openai) -> None:
    answer = openai.chat.completions.create(model="base", messages=ASKED, tools=[CLOCK])
    assert (answer.choices[0].message.content, answer.choices[0].message.tool_calls) == ("It is late.", None)
    assert answer.choices[0].finish_reason == "stop"


def test_tool_choice_decides_what_the_grammar_leaves_open(openai, engine) -> None:
    def constraint(choice) -> str | None:
        openai.chat.completions.create(
            model="base", messages=ASKED, tools=[WEATHER, CLOCK], tool_choice=choice
        )
        found = engine.asked[-1][1].constraint
        return found and found.text

    call = '<tool_call>\n{"name": "%s", "arguments": {}}\n</tool_call>'
    named = {"type": "function", "function": {"name": "clock"}}
    assert constraint("none") is None
    assert "tools" not in engine.asked[-1][0][0]["content"]
    assert accepts("Nice.", constraint("auto"))
    assert accepts(call % "clock", constraint("auto"))
    assert not accepts("Nice.", constraint("required"))
    assert accepts(call % "clock", constraint(named))
    assert not accepts(call % "weather", constraint(named))


TOOLS = [ToolIn(**WEATHER), ToolIn(**CLOCK)]
GOOD = '<tool_call>\n{"name": "weather", "arguments": {"city": "Bonn"}}\n</tool_call>'


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (GOOD, True),
        (f"{GOOD}\n{GOOD}", True),
        (GOOD.replace("weather", "wetter"), False),
        (GOOD.replace("city", "town"), False),
        (GOOD.replace('"Bonn"', "7"), False),
        ("<tool_call>I do not know", False),
        ("<b>bold</b>", True),
        ("", True),
    ],
)
def test_a_call_that_the_grammar_takes_has_its_arguments(text, good) -> None:
    assert accepts(text, grammar(TOOLS, must=False, several=True)) is good


def test_one_call_where_several_are_not_wanted() -> None:
    assert not accepts(f"{GOOD}\n{GOOD}", grammar(TOOLS, must=True, several=False))


def test_what_is_said_beside_tools_may_have_a_form() -> None:
    lark = grammar(TOOLS, must=False, several=True, document='{"type": "object"}')
    assert accepts('{"a": 1}', lark)
    assert accepts(GOOD, lark)
    assert not accepts("Nice.", lark)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def read(text: str, sizes: list[int]) -> list:
    """The pieces of a text that comes in parts of these sizes."""
    reader, pieces, at = ToolReader(), [], 0
    for size in [*sizes, len(text)]:
        pieces += reader.push(text[at : at + size])
        at += size
    return pieces + reader.end()


@given(
    arguments=st.lists(st.dictionaries(st.text(max_size=6), values, max_size=3), min_size=1, max_size=3),
    sizes=st.lists(st.integers(0, 9), max_size=80),
    ascii=st.booleans(),
)
def test_calls_are_read_however_they_are_cut(arguments, sizes, ascii) -> None:
    written = [json.dumps(each, ensure_ascii=ascii) for each in arguments]
    calls = [ToolCallIn(id="x", function={"name": "clock", "arguments": each}) for each in written]
    pieces = read("\n".join(call_told(call) for call in calls), sizes)
    assert [piece.name for piece in pieces if isinstance(piece, Called)] == ["clock"] * len(calls)
    for at, wanted in enumerate(written):
        parts = [p.text for p in pieces if isinstance(p, Arguments) and p.index == at]
        assert "".join(parts) == wanted


@given(
    text=st.text(alphabet='<tool_call>\n{}"name: x', max_size=40),
    sizes=st.lists(st.integers(0, 9), max_size=40),
)
def test_no_word_is_lost(text, sizes) -> None:
    pieces = read(text, sizes)
    if not any(isinstance(piece, Called) for piece in pieces) and not text.startswith(
        '<tool_call>\n{"name": "'
    ):
        assert "".join(piece.text for piece in pieces if isinstance(piece, Said)) == text
