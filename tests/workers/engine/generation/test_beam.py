"""Beam search against transformers' own, on the same tiny random model."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models_zoo.llm.tokenizer import ChatTokenizer
from tests.models_zoo.llm.tiny import CONFIG, in_transformers, make_base
from tests.workers.engine.generation.conftest import (
    Model,
    Reply,
    opened,
    random_model,
    replies,
    run,
    written,
)
from workers.engine.generation.beam import BeamSearch
from workers.engine.generation.request import Vocabulary
from workers.engine.protocol import Sampling

END = 2
PROMPT = (50, 60, 70, 80)


class OneEnd(Vocabulary):
    """Only the end token ends a reply, as in transformers."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary.tokenizer, END, vocabulary.size)
        self.control = frozenset([END])


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> tuple[torch.nn.Module, OneEnd]:
    base = make_base(tmp_path_factory.mktemp("beam") / "base", seed=3)
    model = in_transformers(base)
    with torch.no_grad():
        model.lm_head.weight *= 6  # sharper, and sometimes at an end
        model.lm_head.weight[END] = model.lm_head.weight[90] * 1.5
    vocabulary = Vocabulary(ChatTokenizer(base.folder), END, CONFIG.vocabulary)
    return model, OneEnd(vocabulary)


def as_model(module: torch.nn.Module) -> Model:
    @torch.inference_mode()
    def logits(tokens: list[int]) -> Tensor:
        row: Tensor = module(torch.tensor([tokens])).logits[0, -1]
        return row

    return logits


@pytest.mark.slow
@pytest.mark.parametrize("beams", [2, 4])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0, -1.0])
@pytest.mark.parametrize("prompt", [(50, 60, 70, 80), (90, 91), (100, 130, 160)])
def test_the_replies_are_those_of_transformers(
    oracle: tuple[torch.nn.Module, OneEnd], beams: int, length_penalty: float, prompt: tuple[int, ...]
) -> None:
    module, vocabulary = oracle
    sampling = Sampling(max_tokens=12, beams=beams, n=beams, length_penalty=length_penalty, logprobs=0)
    first = opened(vocabulary, sampling, prompt)
    run(as_model(module), first)
    ours = replies(first)
    theirs = module.generate(  # type: ignore[operator]
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt)),
        num_beams=beams,
        num_return_sequences=beams,
        length_penalty=length_penalty,
        max_new_tokens=12,
        do_sample=False,
        eos_token_id=END,
        pad_token_id=0,
        return_dict_in_generate=True,
        output_scores=True,
    )
    for reply, sequence in zip(ours, theirs.sequences[:, len(prompt) :].tolist(), strict=True):
        expected = sequence[: sequence.index(END)] if END in sequence else sequence
        assert said(reply) == expected
        assert reply.reason == ("stop" if END in sequence else "length")


def said(reply: Reply) -> list[int]:
    return [told.token for chunk in reply.chunks for told in chunk.logprobs]


def test_scores_are_those_of_transformers(oracle: tuple[torch.nn.Module, OneEnd]) -> None:
    module, _ = oracle
    model = as_model(module)
    search = BeamSearch(3, endings=1, length_penalty=1.5)
    rows, beams = model(list(PROMPT))[None], [list(PROMPT)]
    while not search.over:
        length = len(beams[0]) + 1 - len(PROMPT)
        end = lambda row, token: "stop" if token == END else ("length" if length == 10 else None)  # noqa: B023, E731
        search.advance(rows.log_softmax(dim=-1), end)
        beams = [[*PROMPT, *(step.token for step in node.path())] for node in search.live]
        if beams:
            rows = torch.stack([model(beam) for beam in beams])
    theirs = module.generate(  # type: ignore[operator]
        torch.tensor([PROMPT]),
        attention_mask=torch.ones(1, len(PROMPT)),
        num_beams=3,
        num_return_sequences=3,
        length_penalty=1.5,
        max_new_tokens=10,
        do_sample=False,
        eos_token_id=END,
        pad_token_id=0,
        return_dict_in_generate=True,
        output_scores=True,
    )
    ours = [score for score, _ in search.found]
    assert ours == pytest.approx(theirs.sequences_scores.tolist(), abs=1e-4)


def test_beams_find_what_greed_misses(vocabulary: Vocabulary) -> None:
    """Greedy takes the likelier first token and pays for it with the second."""

    def model(tokens: list[int]) -> Tensor:
        row = torch.full((CONFIG.vocabulary,), -50.0)
        if tokens[-1] == 70:
            row[80], row[81] = 0.1, 0.0
        elif tokens[-1] == 80:
            row[90:200] = 0.0
        else:
            row[2] = 10.0
        return row

    (greedy,) = written(vocabulary, model, Sampling(max_tokens=3))
    (beam,) = written(vocabulary, model, Sampling(max_tokens=3, beams=2))
    assert greedy.text[0] == vocabulary.token_bytes[80].decode()
    assert beam.text == vocabulary.token_bytes[81].decode()
    assert beam.reason == "stop"


def test_of_beams_with_the_same_text_the_others_come_first(vocabulary: Vocabulary) -> None:
    first, second, *_ = sorted(vocabulary.control)

    def model(tokens: list[int]) -> Tensor:
        row = torch.full((CONFIG.vocabulary,), -50.0)
        if tokens[-1] == 70:
            row[80], row[81] = 0.1, -1.0
        else:
            row[first], row[second] = (0.1, 0.0) if tokens[-1] == 80 else (0.0, -50.0)
        return row

    texts = [vocabulary.token_bytes[token].decode() for token in (80, 81)]
    for n, expected in ((2, texts), (3, [texts[0], texts[0], texts[1]])):
        found = written(vocabulary, model, Sampling(max_tokens=3, beams=3, n=n))
        assert [reply.text for reply in found] == expected


def test_a_stop_string_ends_a_beam(vocabulary: Vocabulary) -> None:
    model = random_model(3, control=-100)
    sampling = Sampling(max_tokens=20, beams=3, length_penalty=-3.0)  # shorter ones are far better
    (whole,) = written(vocabulary, model, sampling)
    stop = whole.text[2:4]
    (reply,) = written(vocabulary, model, replace(sampling, stop=(stop,)))
    assert (reply.text, reply.reason) == (whole.text[:2], "stop")


def test_beams_beside_others_find_the_same(vocabulary: Vocabulary) -> None:
    model, sampling = random_model(7), Sampling(max_tokens=15, beams=4, n=2)
    alone = [reply.text for reply in written(vocabulary, model, sampling)]
    mate = opened(vocabulary, Sampling(max_tokens=40, temperature=1.0, n=2))
    first = opened(vocabulary, sampling)
    run(model, mate, first)
    assert [reply.text for reply in replies(first)] == alone


def test_cancelled_beams_end_with_nothing(vocabulary: Vocabulary) -> None:
    first = opened(vocabulary, Sampling(beams=3, n=2))
    first.finish("cancelled")
    assert [(reply.text, reply.reason) for reply in replies(first)] == [("", "cancelled")] * 2
