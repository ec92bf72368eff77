"""Candidates and beams through the real scheduler, with a device that keeps tokens for keys: forks, copies
and preemption must give every reply what it would say alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.workers.engine.generation.conftest import Model, opened, random_model, replies, written
from workers.engine.generation.request import Generation, Vocabulary
from workers.engine.generation.step import settle
from workers.engine.protocol import Sampling
from workers.engine.scheduling import BlockPool, Limits, Scheduler, Step

BLOCK = 4


class Device:
    """Its keys are the tokens themselves: logits come from what the block table leads to."""

    def __init__(self, model: Model, blocks: int) -> None:
        self._model = model
        self._cache = [[-1] * BLOCK for _ in range(blocks)]

    def run(self, step: Step[Generation]) -> tuple[torch.Tensor, list[Generation]]:
        for source, target in step.copies:
            self._cache[target] = list(self._cache[source])
        rows, sampled = [], []
        for piece in step.pieces:
            entry, stop = piece.entry, piece.start + piece.count
            for position, token in enumerate(entry.tokens(piece.start, stop), piece.start):
                self._cache[entry.blocks[position // BLOCK]][position % BLOCK] = token
            if stop == entry.known():
                read = [self._cache[entry.blocks[at // BLOCK]][at % BLOCK] for at in range(stop)]
                rows.append(self._model(read))
                sampled.append(entry)
        return torch.stack(rows) if rows else torch.empty(0, 0), sampled


def serve(model: Model, blocks: int, limits: Limits, firsts: list[Generation]) -> int:
    """Run requests to their ends; how many times one was preempted."""
    pool, device, preempted = BlockPool(blocks, BLOCK), Device(model, blocks), 0
    scheduler: Scheduler[Generation] = Scheduler(limits, pool)
    for first in firsts:
        scheduler.add(first)
    for now in range(5000):
        for entry in scheduler.expired(0.0):
            entry.finish("cancelled")
        if scheduler.idle:
            break
        step = scheduler.plan(float(now), lambda entry: True)
        if step is None:
            continue
        assert not step.failed
        preempted += len(step.preempted)
        logits, sampled = device.run(step)
        scheduler.done(step)
        if not sampled:
            continue
        progress = settle(logits, sampled)
        for generation in progress.grown:
            generation.tell()
        for beam in progress.dropped:
            scheduler.finish(beam)
        for parent, child in progress.forks:
            if scheduler.fork(parent, child) is None:
                scheduler.add(child)
        for generation in progress.finished:
            scheduler.finish(generation)
    assert scheduler.idle
    assert pool.used == 0
    return preempted


samplings = st.one_of(
    st.builds(Sampling, max_tokens=st.integers(1, 14)),
    st.builds(
        Sampling,
        max_tokens=st.integers(1, 14),
        temperature=st.just(1.0),
        seed=st.integers(0, 5),
        n=st.integers(1, 3),
    ),
    st.integers(2, 4).flatmap(
        lambda beams: st.builds(
            Sampling, max_tokens=st.integers(1, 14), beams=st.just(beams), n=st.integers(1, beams)
        )
    ),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(samplings, st.lists(st.integers(3, 40), min_size=1, max_size=12)), min_size=1, max_size=4),
    st.integers(7, 30),
    st.integers(1, 6),
    st.integers(3, 40),
    st.integers(0, 50),
)  # fmt: skip
def test_whoever_shares_the_cache_says_what_it_says_alone(
    vocabulary: Vocabulary,
    asked: list[tuple[Sampling, list[int]]],
    blocks: int,
    sequences: int,
    tokens: int,
    seed: int,
) -> None:
    model = random_model(seed, control=-1.0)
    firsts = [opened(vocabulary, sampling, tuple(prompt)) for sampling, prompt in asked]
    serve(model, blocks, Limits(sequences=sequences, step_tokens=tokens, waiting=100), firsts)
    for first, (sampling, prompt) in zip(firsts, asked, strict=True):
        alone = opened(vocabulary, sampling, tuple(prompt))
        assert serve(model, 200, Limits(sequences=16), [alone]) == 0
        ours, expected = replies(first), replies(alone)
        assert [(r.text, r.reason, r.tokens) for r in ours] == [
            (r.text, r.reason, r.tokens) for r in expected
        ]


def test_beams_give_way_to_each_other_and_still_find_the_same(vocabulary: Vocabulary) -> None:
    """Two searches that together need more blocks than there are."""
    model, sampling = random_model(3, control=-100), Sampling(max_tokens=30, beams=4, n=4)
    expected = [reply.text for reply in written(vocabulary, model, sampling)]
    firsts = [opened(vocabulary, sampling) for _ in range(2)]
    assert serve(model, 14, Limits(sequences=8, step_tokens=64), firsts) > 0
    for first in firsts:
        assert [reply.text for reply in replies(first)] == expected
