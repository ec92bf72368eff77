"""Requests from their first token to their last chunk."""

from __future__ import annotations

import pytest

from tests.workers.engine.generation.conftest import opened, random_model, replies, run, written
from workers.engine.generation.request import Reading, Ticket, Vocabulary
from workers.engine.generation.step import settle
from workers.engine.protocol import Call, EngineError, Sampling


def test_it_works(vocabulary: Vocabulary) -> None:
    (reply,) = written(vocabulary, random_model(0, control=-100), Sampling(max_tokens=12))
    assert reply.tokens == 12
    assert [chunk.finish_reason for chunk in reply.chunks[:-1]] == [None] * (len(reply.chunks) - 1)
    assert reply.reason == "length"
    usage = reply.chunks[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (3, 12)
    timing = usage.timing
    assert timing.queued is not None
    assert timing.first_token is not None
    assert timing.total is not None
    assert 0 <= timing.queued <= timing.first_token <= timing.total


def test_an_end_token_ends_it_unless_told_to_go_on(vocabulary: Vocabulary) -> None:
    bias = {2: 100.0}
    (reply,) = written(vocabulary, random_model(0), Sampling(max_tokens=9, logit_bias=bias, logprobs=0))
    assert (reply.text, reply.tokens, reply.reason) == ("", 1, "stop")
    assert reply.chunks[-1].logprobs == ()
    (reply,) = written(vocabulary, random_model(0), Sampling(max_tokens=9, logit_bias=bias, ignore_end=True))
    assert (reply.text, reply.tokens, reply.reason) == ("", 9, "length")


def test_a_stop_string_ends_it(vocabulary: Vocabulary) -> None:
    model = random_model(3, control=-100)
    (whole,) = written(vocabulary, model, Sampling(max_tokens=40))
    stop = whole.text[10:13]
    (reply,) = written(vocabulary, model, Sampling(max_tokens=40, stop=(stop,)))
    assert reply.text == whole.text[: whole.text.index(stop)]
    assert reply.reason == "stop"


def test_candidates_share_the_prompt_and_end_on_their_own(vocabulary: Vocabulary) -> None:
    first = opened(vocabulary, Sampling(max_tokens=60, temperature=1.2, n=5, seed=1))
    run(random_model(5, control=1.0), first)
    found = replies(first)
    assert len({reply.tokens for reply in found}) > 1
    for reply in found:
        assert reply.reason in ("stop", "length")
        assert [chunk.usage is None for chunk in reply.chunks] == [True] * (len(reply.chunks) - 1) + [False]
        assert reply.chunks[-1].usage is not None
        assert reply.chunks[-1].usage.completion_tokens == reply.tokens


def test_children_of_a_parent_that_ends_at_once_go_on(vocabulary: Vocabulary) -> None:
    def model(tokens: list[int]):  # type: ignore[no-untyped-def]
        row = random_model(1, control=-100)(tokens)
        if len(tokens) == 3:
            row[:] = -100.0
            row[[2, 80, 81]] = 0.0
        return row

    first = opened(vocabulary, Sampling(max_tokens=6, temperature=1.0, n=8, seed=4))
    run(model, first)
    assert {reply.reason for reply in replies(first)} == {"stop", "length"}


def test_cancelling_ends_all_candidates(vocabulary: Vocabulary) -> None:
    model = random_model(6, control=-100)
    first = opened(vocabulary, Sampling(max_tokens=60, temperature=1.0, n=3))
    progress = settle(model(first.prompt)[None], [first])
    assert len(progress.forks) == 2
    first.ticket.cancelled = True
    assert all(child.cancelled for _, child in progress.forks)
    for entry in (first, *(child for _, child in progress.forks)):
        entry.finish("cancelled")  # the loop may say it of each
    for reply in replies(first):
        assert (reply.reason, reply.tokens) == ("cancelled", 1)


def test_cancelled_before_it_was_read(vocabulary: Vocabulary) -> None:
    first = opened(vocabulary, Sampling(n=2))
    first.finish("cancelled")
    assert [reply.reason for reply in replies(first)] == ["cancelled", "cancelled"]


def test_an_error_comes_once_and_nothing_after_it(vocabulary: Vocabulary) -> None:
    model = random_model(6, control=-100)
    first = opened(vocabulary, Sampling(max_tokens=60, temperature=1.0, n=2))
    settle(model(first.prompt)[None], [first])
    while not first.group.out.empty():
        first.group.out.get()
    first.fail(EngineError("one"))
    first.fail(EngineError("two"))
    first.finish("cancelled")
    settle(model(first.tokens(0, 4))[None], [first])
    with pytest.raises(EngineError, match="one"):
        replies(first)
    assert first.group.out.empty()
    assert first.cancelled


def test_tokens_of_prompt_and_reply(vocabulary: Vocabulary) -> None:
    first = opened(vocabulary, Sampling())
    first.generated += [7, 8, 9]
    whole = [50, 60, 70, 7, 8, 9]
    assert first.known() == 6
    for start in range(7):
        for stop in range(start, 7):
            assert first.tokens(start, stop) == whole[start:stop]


def test_readings_are_whole_and_fail_once() -> None:
    reading = Reading(ticket=Ticket(Call(organisation="a")), adapter=None, ids=[1, 2, 3])
    assert (reading.whole, reading.known(), reading.tokens(1, 3)) == (True, 3, [2, 3])
    assert reading.organisation == "a"
    reading.fail(EngineError("late"))
    reading.fail(EngineError("again"))
    with pytest.raises(EngineError, match="late"):
        reading.result.result()


@pytest.mark.parametrize(
    ("sampling", "reason"),
    [
        (Sampling(temperature=-1), "temperature is -1"),
        (Sampling(temperature=float("nan")), "temperature is nan"),
        (Sampling(top_p=1.5), "top_p is 1.5"),
        (Sampling(n=0), "n is 0"),
        (Sampling(n=3, beams=2), "n is 3, expected at most beams, 2"),
        (Sampling(temperature=0.7, beams=2), "temperature is 0.7, but beams are searched for"),
        (Sampling(seed=5, beams=2), "seed is 5, but"),
        (Sampling(top_p=0.9, beams=2), "top_p is 0.9, but"),
        (Sampling(top_k=4, beams=2), "top_k is 4, but"),
        (Sampling(min_p=0.1, beams=2), "min_p is 0.1, but"),
        (Sampling(logprobs=1000), "logprobs is 1000"),
        (Sampling(logit_bias={320: 1.0}), "logit_bias names token 320"),
        (Sampling(logit_bias={3: float("inf")}), "logit_bias of token 3 is inf"),
        (Sampling(repetition_penalty=0.0), "repetition_penalty is 0"),
    ],
)
def test_what_cannot_be_is_named(vocabulary: Vocabulary, sampling: Sampling, reason: str) -> None:
    with pytest.raises(EngineError, match=reason):
        opened(vocabulary, sampling)
