"""Choosing tokens: against transformers' processors, against counting, and the same whoever is beside."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from tests.workers.engine.generation.conftest import SIZE, opened, random_model, replies, run, written
from workers.engine.generation import sampling as module
from workers.engine.generation.penalties import Penalties
from workers.engine.generation.request import Vocabulary
from workers.engine.generation.sampling import choose, draw, exponential, key, least_kept
from workers.engine.protocol import Sampling


def rows(seed: int, count: int, size: int = SIZE, spread: float = 3.0) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed)) * spread


def test_it_works(vocabulary: Vocabulary) -> None:
    logits = rows(0, 3)
    generations = [opened(vocabulary, Sampling()) for _ in range(3)]
    assert [choice.token for choice in choose(logits, generations)] == logits.argmax(dim=-1).tolist()


filters = st.builds(
    Sampling,
    temperature=st.floats(0.05, 3),
    top_p=st.sampled_from([1.0, 0.999, 0.9, 0.5, 0.05]),
    top_k=st.sampled_from([0, 1, 2, 40, 64, 65, 200, 319, 320, 1000]),
    min_p=st.sampled_from([0.0, 0.01, 0.2, 1.0]),
)


def kept_by_transformers(logits: Tensor, sampling: Sampling) -> Tensor:
    steps = LogitsProcessorList([TemperatureLogitsWarper(sampling.temperature)])
    if sampling.top_k:
        steps.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        steps.append(TopPLogitsWarper(sampling.top_p))
    if sampling.min_p:
        steps.append(MinPLogitsWarper(sampling.min_p))
    return steps(torch.zeros(1, 1, dtype=torch.long), logits[None].double())[0] > -float("inf")


@settings(max_examples=200, deadline=None)
@given(filters, st.integers(0, 1000), st.sampled_from([0.1, 1.0, 4.0]))
def test_filters_keep_what_transformers_keeps(sampling: Sampling, seed: int, spread: float) -> None:
    row = rows(seed, 1, spread=spread)[0]
    scaled = (row / sampling.temperature)[None]
    values = scaled.sort(descending=True).values
    least = least_kept(values, scaled.logsumexp(dim=-1, keepdim=True), [sampling])
    kept, expected = (scaled >= least)[0], kept_by_transformers(row, sampling)
    if not torch.equal(kept, expected):  # a cumulated probability that is top_p to the last bit of float32
        assert sampling.top_p < 1
        assert abs(int(kept.sum()) - int(expected.sum())) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(filters, min_size=1, max_size=5), st.integers(0, 1000), st.sampled_from([0.1, 1.0, 4.0]))
def test_looking_at_the_likeliest_changes_no_draw(asked: list[Sampling], seed: int, spread: float) -> None:
    """The same tokens as from whole rows: the shortcut is only one."""
    logits, keys = rows(seed, len(asked), spread=spread), list(range(len(asked)))
    quick = draw(logits, asked, keys)
    likeliest, module.LIKELIEST = module.LIKELIEST, (64,)
    try:
        assert draw(logits, asked, keys) == quick
    finally:
        module.LIKELIEST = likeliest


@settings(max_examples=60, deadline=None)
@given(filters, st.integers(0, 1000))
def test_only_kept_tokens_are_drawn(sampling: Sampling, seed: int) -> None:
    row = rows(seed, 1)
    least = least_kept(
        (row / sampling.temperature).sort(descending=True).values,
        (row / sampling.temperature).logsumexp(dim=-1, keepdim=True),
        [sampling],
    )
    kept = set((row / sampling.temperature >= least)[0].nonzero()[:, 0].tolist())
    assert set(draw(row.expand(30, -1), [sampling] * 30, list(range(30)))) <= kept


def test_tokens_as_likely_are_kept_together() -> None:
    values = torch.tensor([[2.0, 1.0, 1.0, 1.0, 0.0]])
    total = values.logsumexp(dim=-1, keepdim=True)
    assert float(least_kept(values, total, [Sampling(temperature=1, top_k=2)])) == 1.0


@pytest.mark.parametrize(
    "sampling",
    [Sampling(temperature=1.0), Sampling(temperature=0.7, top_p=0.8), Sampling(temperature=2.0, top_k=5)],
)
def test_draws_follow_the_distribution(sampling: Sampling) -> None:
    row, count = rows(3, 1, size=12, spread=1.0), 20000
    keys = [key(7, 0, position) for position in range(count)]
    counts = Counter(draw(row.expand(count, -1), [sampling] * count, keys))
    expected = (row[0] / sampling.temperature).masked_fill(~kept_by_transformers(row[0], sampling), -1e9)
    for token, probability in enumerate(expected.softmax(dim=-1).tolist()):
        deviation = (probability * (1 - probability) / count) ** 0.5
        assert abs(counts[token] / count - probability) <= 4.5 * deviation


def test_the_rest_is_drawn_as_often_as_it_should_be() -> None:
    """Beyond the likeliest 64: as a whole, and among themselves."""
    row, count = rows(4, 1, size=100, spread=0.7), 40000
    sampling = Sampling(temperature=1.0)
    keys = [key(3, 0, position) for position in range(count)]
    counts = Counter(draw(row.expand(count, -1), [sampling] * count, keys))
    for token, probability in enumerate(row[0].softmax(dim=-1).tolist()):
        deviation = (probability * (1 - probability) / count) ** 0.5
        assert abs(counts[token] / count - probability) <= 4.5 * deviation
    rest = row[0].topk(36, largest=False).indices.tolist()
    share = float(row[0].softmax(dim=-1)[rest].sum())
    assert abs(sum(counts[token] for token in rest) / count - share) <= 4 * (share / count) ** 0.5


@pytest.mark.parametrize("allowed", [1, 63, 64, 65])
@pytest.mark.parametrize(
    "sampling", [Sampling(temperature=1.0), Sampling(temperature=1.0, top_k=50, top_p=0.9)]
)
def test_masked_tokens_are_never_drawn(allowed: int, sampling: Sampling) -> None:
    row = rows(9, 1)
    row[:, allowed:] = -float("inf")
    assert max(draw(row.expand(3000, -1), [sampling] * 3000, range(3000))) < allowed


def test_noise_is_exponential_and_unrelated_between_draws() -> None:
    ids = torch.arange(4096).expand(64, -1)
    noise = exponential([key(1, 0, position) for position in range(64)], ids)
    assert abs(float(noise.mean()) - 1) < 0.01
    assert abs(float((noise**2).mean()) - 2) < 0.05
    among = torch.corrcoef(noise) - torch.eye(64)
    assert float(among.abs().max()) < 0.08
    assert torch.equal(exponential([key(1, 0, 5)], ids[:1]), noise[5:6])


SAMPLED = Sampling(max_tokens=30, temperature=1.0, top_p=0.95, seed=11)


def test_a_seed_repeats_its_text_whoever_is_beside(vocabulary: Vocabulary) -> None:
    model = random_model(1)
    alone = written(vocabulary, model, SAMPLED)[0].text
    mates = [
        opened(vocabulary, Sampling(max_tokens=9, temperature=0.0), (40,)),
        opened(vocabulary, replace(SAMPLED, seed=12, top_p=1.0, n=3), (50, 60)),
        opened(vocabulary, replace(SAMPLED, seed=None, repetition_penalty=1.3, logprobs=2), (51,)),
    ]
    again = opened(vocabulary, SAMPLED)
    run(model, *mates[:2], again, mates[2])
    assert replies(again)[0].text == alone
    assert written(vocabulary, model, replace(SAMPLED, seed=12))[0].text != alone
    assert written(vocabulary, model, replace(SAMPLED, n=3))[0].text == alone  # the first of several


def test_without_a_seed_replies_differ(vocabulary: Vocabulary) -> None:
    texts = {written(vocabulary, random_model(1), replace(SAMPLED, seed=None))[0].text for _ in range(5)}
    assert len(texts) == 5


def test_candidates_differ(vocabulary: Vocabulary) -> None:
    found = written(vocabulary, random_model(1), replace(SAMPLED, n=4))
    assert len({reply.text for reply in found}) == 4


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(0, SIZE - 1), min_size=1, max_size=20),
    st.lists(st.integers(0, SIZE - 1), max_size=20),
    st.floats(0.5, 2),
    st.floats(-2, 2),
    st.floats(-2, 2),
)
def test_penalties(
    prompt: list[int], reply: list[int], repetition: float, frequency: float, presence: float
) -> None:
    row = rows(5, 1)
    said = torch.tensor([[*prompt, *reply]])
    expected = RepetitionPenaltyLogitsProcessor(repetition)(said, row.clone())[0]
    for token, count in Counter(reply).items():
        expected[token] -= frequency * count + presence
    sampling = Sampling(repetition_penalty=repetition, frequency_penalty=frequency, presence_penalty=presence)
    penalties = Penalties(prompt, sampling)
    for token in reply:
        penalties.add(token)
    changed = row[0].clone()
    penalties.copy().apply(changed)
    torch.testing.assert_close(changed, expected)


def test_biased_tokens_are_never_or_always_said(vocabulary: Vocabulary) -> None:
    model = random_model(2)
    always = written(vocabulary, model, Sampling(max_tokens=5, logit_bias={70: 100.0}))[0]
    assert always.text == vocabulary.token_bytes[70].decode() * 5
    likeliest = int(model([50, 60, 70]).argmax())
    other = written(vocabulary, model, Sampling(max_tokens=1, logit_bias={likeliest: -100.0}, logprobs=0))[0]
    assert other.chunks[-1].logprobs[0].token != likeliest


def test_logprobs_are_of_the_model_itself(vocabulary: Vocabulary) -> None:
    sampling = Sampling(max_tokens=8, temperature=1.5, top_k=5, repetition_penalty=1.4, logprobs=3, seed=3)
    model = random_model(4, control=-100)
    tokens = [50, 60, 70]
    for chunk in written(vocabulary, model, sampling)[0].chunks:
        for told in chunk.logprobs:
            scores = model(tokens).log_softmax(dim=-1)
            assert told.logprob == pytest.approx(float(scores[told.token]), abs=1e-5)
            assert [other.token for other in told.top] == scores.topk(3).indices.tolist()
            assert told.bytes == vocabulary.token_bytes[told.token]
            tokens.append(told.token)
    assert len(tokens) == 3 + 8


def test_noise_is_never_infinite() -> None:
    """No noise: a token that nobody would draw wins, also over a mask (minus infinity less minus infinity)."""
    ids = torch.arange(50_000)[None]
    for number in range(500):
        noise = exponential([key(number, 0, 3)], ids)
        assert float(noise.min()) > 0, number
        assert float(noise.max()) < float("inf"), number
