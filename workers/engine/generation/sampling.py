"""Choose next tokens, for all rows of a step at once.

In this order, vLLM's (vllm/v1/sample/sampler.py) for the changes to the logits and transformers' for the
filters: logit bias; repetition penalty (Keskar et al., 2019), frequency and presence penalties (OpenAI);
constraint; temperature; top-k; top-p (Holtzman et al., 2020) of what top-k left; min-p (Nguyen et al., 2024);
a draw. Tokens as likely as the least likely one kept are kept too, so that a set never hangs on an order.

The draw is Gumbel-max (Gumbel, 1954) with noise that is a function of (seed, candidate, position in the
reply, token) alone: a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
2011), without state. So a reply does not depend on its batch mates, on preemption or on the device, and
small errors of the logits seldom change it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from hashlib import blake2b

import torch
from torch import Tensor

from workers.engine.generation.constraints import ConstraintError
from workers.engine.generation.logprobs import tell
from workers.engine.generation.request import Choice, Generation
from workers.engine.protocol import Sampling, TokenLogprob

LIKELIEST = (64, 1024)  # how many are looked at before the whole row is sorted
INFINITY = float("inf")


def choose(logits: Tensor, generations: Sequence[Generation]) -> list[Choice]:
    """The next token of each generation from its row of logits float32 [B, vocabulary]."""
    tokens: list[int] = logits.argmax(dim=-1).tolist()
    special = [row for row, generation in enumerate(generations) if not generation.plain]
    if not special:
        return [Choice(token) for token in tokens]
    errors = _choose_special(logits, generations, special, tokens)
    told = _told(logits, generations, special, tokens)
    return [Choice(token, told.get(row), errors.get(row)) for row, token in enumerate(tokens)]


def _choose_special(
    logits: Tensor, generations: Sequence[Generation], special: list[int], tokens: list[int]
) -> dict[int, ConstraintError]:
    """Put the tokens of `special` rows into `tokens`; the errors of those that have none."""
    changed = logits[special]
    errors = {}
    for index, row in enumerate(special):
        try:
            generations[row].adjust(changed[index])
        except ConstraintError as error:
            errors[row] = error
    for row, token in zip(special, changed.argmax(dim=-1).tolist(), strict=True):
        tokens[row] = token
    drawn = [index for index, row in enumerate(special) if not generations[row].greedy]
    if drawn:
        chosen = [generations[special[index]] for index in drawn]
        keys = [key(generation.seed, generation.index, len(generation.generated)) for generation in chosen]
        picked = draw(changed[drawn], [generation.sampling for generation in chosen], keys)
        for index, token in zip(drawn, picked, strict=True):
            tokens[special[index]] = token
    return errors


def _told(
    logits: Tensor, generations: Sequence[Generation], special: list[int], tokens: list[int]
) -> dict[int, TokenLogprob]:
    asked = {row: count for row in special if (count := generations[row].sampling.logprobs) is not None}
    if not asked:
        return {}
    rows, chosen = list(asked), [tokens[row] for row in asked]
    token_bytes = generations[rows[0]].vocabulary.token_bytes
    return dict(zip(rows, tell(logits[rows], chosen, list(asked.values()), token_bytes), strict=True))


def key(seed: int, candidate: int, position: int) -> int:
    """32 bits that stand for one draw."""
    packed = struct.pack("<QII", seed % 2**64, candidate, position)
    return int.from_bytes(blake2b(packed, digest_size=4).digest(), "little")


def draw(rows: Tensor, samplings: Sequence[Sampling], keys: Sequence[int]) -> list[int]:
    """Tokens drawn from rows float32 [B, vocabulary], each by its sampling's temperature and filters."""
    scaled = rows / rows.new_tensor([sampling.temperature for sampling in samplings])[:, None]
    tokens = [0] * len(samplings)
    free = [row for row, sampling in enumerate(samplings) if not _filtered(sampling)]
    if free:
        ids = torch.arange(rows.shape[1], device=rows.device).expand(len(free), -1)
        _race(scaled[free], ids, free, keys, tokens)
    left = [row for row, sampling in enumerate(samplings) if _filtered(sampling)]
    for size in (*LIKELIEST, rows.shape[1]):
        size = min(size, rows.shape[1])
        tried = [row for row in left if samplings[row].top_k < size or size == rows.shape[1]]
        done = set(_draw_among(scaled, size, tried, samplings, keys, tokens) if tried else ())
        left = [row for row in left if row not in done]
    return tokens


def _filtered(sampling: Sampling) -> bool:
    return sampling.top_k > 0 or sampling.top_p < 1 or sampling.min_p > 0


def _draw_among(
    scaled: Tensor,
    size: int,
    rows: Sequence[int],
    samplings: Sequence[Sampling],
    keys: Sequence[int],
    tokens: list[int],
) -> list[int]:
    """Draw for those of the rows whose filters keep fewer than the `size` likeliest tokens, and name them."""
    values, ids = scaled[rows].topk(size, dim=-1)
    total = scaled[rows].logsumexp(dim=-1, keepdim=True)
    least = least_kept(values, total, [samplings[row] for row in rows])
    last = values[:, -1:]
    whole = size == scaled.shape[1]
    settled = ((least > last) | (last == -INFINITY))[:, 0].tolist()
    picks = [index for index, ready in enumerate(settled) if ready or whole]
    done = [rows[index] for index in picks]
    if done:
        kept = values.masked_fill(values < least, -INFINITY)
        _race(kept[picks], ids[picks], done, keys, tokens)
    return done


def least_kept(values: Tensor, total: Tensor, samplings: Sequence[Sampling]) -> Tensor:
    """values float32 [B, K], the likeliest tokens' scaled logits, descending; total [B, 1], logsumexp of the
    whole rows -> [B, 1], the least value that the filters keep, right where it is above the last value."""
    size = values.shape[1]
    column: Callable[[list[float]], Tensor] = lambda numbers: values.new_tensor(numbers)[:, None]  # noqa: E731
    top_k = column([sampling.top_k if 0 < sampling.top_k < size else INFINITY for sampling in samplings])
    kth = values.gather(1, top_k.clamp(max=size).long() - 1).masked_fill(top_k == INFINITY, -INFINITY)
    among = values.masked_fill(values < kth, -INFINITY)
    total = torch.where(top_k == INFINITY, total, among.logsumexp(dim=-1, keepdim=True))
    probabilities = (among - total).exp()
    before = probabilities.cumsum(dim=-1) - probabilities
    top_p = column([sampling.top_p for sampling in samplings])
    nucleus = (before < top_p).sum(dim=-1, keepdim=True).clamp(min=1)
    pth = values.gather(1, nucleus - 1).masked_fill(top_p >= 1, -INFINITY)
    mth = values[:, :1] + column([sampling.min_p for sampling in samplings]).log()
    return torch.maximum(torch.maximum(kth, pth), mth)


def _race(values: Tensor, ids: Tensor, rows: Sequence[int], keys: Sequence[int], tokens: list[int]) -> None:
    """Put a draw from softmax(values float32 [B, K]) of tokens ids [B, K] into `tokens` at `rows`."""
    picked = (values - exponential([keys[row] for row in rows], ids).log_()).argmax(dim=-1, keepdim=True)
    for row, token in zip(rows, ids.gather(1, picked)[:, 0].tolist(), strict=True):
        tokens[row] = token


def exponential(keys: Sequence[int], ids: Tensor) -> Tensor:
    """Exponential variates float32 [B, K] that depend on each row's key and its tokens' ids int64 [B, K].

    The mixing function is "lowbias32" (Wellons, github.com/skeeto/hash-prospector): all its steps are
    bijections of 32 bits.
    """
    signed = [number - 2**32 if number >= 2**31 else number for number in keys]
    bits = ids.to(torch.int32) * -0x61C88647  # 2**32 divided by the golden ratio
    bits ^= torch.tensor(signed, dtype=torch.int32, device=ids.device)[:, None]
    bits ^= (bits >> 16) & 0xFFFF
    bits *= 0x7FEB352D
    bits ^= (bits >> 15) & 0x1FFFF
    bits *= -0x7B935975
    bits ^= (bits >> 16) & 0xFFFF
    uniform = ((bits >> 8) & 0xFFFFFF).float().add_(0.5).mul_(2.0**-24)
    return uniform.log_().neg_()
