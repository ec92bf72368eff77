"""Completions with the official client."""

import time

import openai as client_library
import pytest

from models_zoo.llm.tokenizer import ChatTokenizer
from rootstock.gateway.budgets import streams_under_way
from rootstock.gateway.usage import budget_set


def test_it_works(openai, engine) -> None:
    answer = openai.completions.create(model="base", prompt="Once upon a time")
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("It is late.", "stop")
    assert answer.usage.total_tokens == 10
    assert (engine.asked[0][0], engine.asked[0][1].max_tokens) == ("Once upon a time", 16)


def test_several_prompts_and_candidates_keep_their_order(openai) -> None:
    answer = openai.completions.create(model="base", prompt=["a", "b"], n=2)
    assert [each.text[:2] for each in answer.choices] == ["0:", "1:", "0:", "1:"]
    assert [each.index for each in answer.choices] == [0, 1, 2, 3]
    assert answer.usage.prompt_tokens == 14


def test_it_streams(openai) -> None:
    said = {0: "", 1: ""}
    stream = openai.completions.create(
        model="base", prompt=["a", "b"], stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    for chunk in chunks[:-1]:
        said[chunk.choices[0].index] += chunk.choices[0].text
    assert said == {0: "It is late.", 1: "It is late."}
    assert chunks[-1].usage.completion_tokens == 6


def test_likelihoods_stand_beside_one_another(openai) -> None:
    told = openai.completions.create(model="base", prompt="a", logprobs=2).choices[0].logprobs
    assert told.tokens == ["It ", "is ", "late."]
    assert (told.text_offset, told.token_logprobs) == ([0, 3, 6], [-0.1] * 3)
    assert told.top_logprobs[0] == {"It ": -0.1, " or": -2.5}


def test_a_prompt_may_be_its_tokens(openai, engine, base) -> None:
    tokens = ChatTokenizer(base).encode("Once upon a time")
    openai.completions.create(model="base", prompt=tokens)
    openai.completions.create(model="base", prompt=[tokens, tokens[:2]])
    assert [asked[0] for asked in engine.asked] == ["Once upon a time"] * 2 + ["Once upon"]


@pytest.mark.parametrize("tokens", [[2**30], [1], [0, 0, 0]])
def test_tokens_of_no_text_are_refused(openai, tokens) -> None:
    with pytest.raises(client_library.BadRequestError, match="tokens") as caught:
        openai.completions.create(model="base", prompt=tokens)
    assert caught.value.param == "prompt"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"echo": True}, "echo"),
        ({"suffix": "end"}, "suffix"),
        ({"best_of": 3}, "best_of"),
        ({"logprobs": 9}, "logprobs"),
    ],
)
def test_what_is_not_done_is_refused(openai, change, param) -> None:
    with pytest.raises(client_library.BadRequestError) as caught:
        openai.completions.create(model="base", prompt="a", **change)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"prompt": ["a"] * 5}, "prompt"),
        ({"prompt": "a", "n": 5}, "n"),
        ({"prompt": "a", "extra_body": {"beams": 5}}, "beams"),
    ],
)
def test_more_answers_than_there_may_ever_be_is_not_for_trying_again(openai, served, asked, param) -> None:
    budget_set(organisation=served.organisation, streams=4)
    with pytest.raises(client_library.BadRequestError, match="5 answers at once") as caught:
        openai.completions.create(model="base", **asked)
    assert caught.value.param == param


def test_one_prompts_refusal_ends_the_others(openai, served, engine, base) -> None:
    engine.gate.clear()  # the second would be written without end
    tokens = ChatTokenizer(base).encode("Once upon a time")
    with pytest.raises(client_library.BadRequestError):
        openai.completions.create(model="base", prompt=[[2**30], tokens])
    assert engine.stopped.wait(5)
    until = time.monotonic() + 5
    while streams_under_way(served.organisation) and time.monotonic() < until:
        time.sleep(0.02)
    assert streams_under_way(served.organisation) == 0


@pytest.mark.parametrize("prompt", [["word " * 20_000] * 16, [[5] * 20_000] * 16])
def test_prompts_are_limited_altogether(openai, engine, prompt) -> None:
    with pytest.raises(client_library.BadRequestError, match="altogether") as caught:
        openai.completions.create(model="base", prompt=prompt)
    assert (caught.value.param, engine.asked) == ("prompt", [])


def test_more_tokens_than_the_base_reads_are_refused_before_they_are_read(openai, engine) -> None:
    with pytest.raises(client_library.BadRequestError, match="more than the base's") as caught:
        openai.completions.create(model="base", prompt=[5] * 9000)
    assert (caught.value.param, caught.value.code, engine.asked) == ("prompt", "context_length_exceeded", [])
