"""Choose the next token: greedy, or drawn from the nucleus (Holtzman et al., 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.engine.protocol import Sampling
from workers.engine.requests import Generation


def next_tokens(logits: Tensor, requests: Sequence[Generation]) -> list[int]:
    """logits float32 [B, vocabulary], one row for each request -> token ids."""
    greedy = logits.argmax(dim=-1).tolist()
    return [
        best if _plain(request.sampling) else _choose(row, request)
        for best, row, request in zip(greedy, logits, requests, strict=True)
    ]


def _plain(sampling: Sampling) -> bool:
    return sampling.temperature <= 0 and sampling.repetition_penalty == 1.0


def _choose(row: Tensor, request: Generation) -> int:
    sampling = request.sampling
    row = row.float().cpu()
    if sampling.repetition_penalty != 1.0:
        row = _penalized(row, request.prompt + request.generated, sampling.repetition_penalty)
    if sampling.temperature <= 0:
        return int(row.argmax())
    return _draw(row / sampling.temperature, sampling.top_p, _random(request))


def _penalized(row: Tensor, seen: list[int], penalty: float) -> Tensor:
    """Tokens seen before become less likely (Keskar et al., 2019)."""
    index = torch.tensor(sorted(set(seen)))
    values = row[index]
    return row.index_copy(0, index, torch.where(values > 0, values / penalty, values * penalty))


def _draw(row: Tensor, top_p: float, generator: torch.Generator) -> int:
    probabilities, tokens = row.softmax(dim=-1).sort(descending=True)
    before = probabilities.cumsum(dim=-1) - probabilities
    kept = probabilities.masked_fill(before >= top_p, 0.0)
    kept[0] = probabilities[0]  # the likeliest is always among them
    return int(tokens[torch.multinomial(kept, 1, generator=generator)])


def _random(request: Generation) -> torch.Generator:
    if not isinstance(request.random_state, torch.Generator):
        generator = torch.Generator()
        if request.sampling.seed is None:
            generator.seed()
        else:
            generator.manual_seed(request.sampling.seed)
        request.random_state = generator
    return request.random_state
