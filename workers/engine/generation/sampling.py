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
    if all(generation.plain for generation in generations):
        return [Choice(token) for token in logits.argmax(dim=-1).tolist()]
    errors: dict[int, ConstraintError] = {}
    adjusted = [row for row, generation in enumerate(generations) if generation.adjusts]
    as_they_are = [row for row, generation in enumerate(generations) if not generation.adjusts]
    tokens = _pick(_rows(logits, as_they_are), as_they_are, generations)
    tokens |= _pick(_adjusted(logits, adjusted, generations, errors), adjusted, generations)
    told = _told(logits, generations, tokens)
    return [Choice(tokens[row], told.get(row), errors.get(row)) for row in range(len(generations))]


def _rows(logits: Tensor, rows: Sequence[int]) -> Tensor:
    """Those rows; without a copy if they are all."""
    return logits if len(rows) == len(logits) else logits[rows]


def _adjusted(
    logits: Tensor,
    rows: Sequence[int],
    generations: Sequence[Generation],
    errors: dict[int, ConstraintError],
) -> Tensor:
    """A changed copy of the rows."""
    changed = logits[rows]
    for row, own in zip(rows, changed, strict=True):
        try:
            generations[row].adjust(own)
        except ConstraintError as error:
            errors[row] = error
    return changed


def _pick(logits: Tensor, rows: Sequence[int], generations: Sequence[Generation]) -> dict[int, int]:
    """The tokens of the rows `rows` of the step, whose logits are these."""
    tokens = {}
    greedy = [index for index, row in enumerate(rows) if generations[row].greedy]
    if greedy:
        for index, token in zip(greedy, _rows(logits, greedy).argmax(dim=-1).tolist(), strict=True):
            tokens[rows[index]] = token
    drawn = [index for index, row in enumerate(rows) if not generations[row].greedy]
    if drawn:
        chosen = [generations[rows[index]] for index in drawn]
        keys = [key(generation.seed, generation.index, len(generation.generated)) for generation in chosen]
        picked = draw(_rows(logits, drawn), [generation.sampling for generation in chosen], keys)
        for index, token in zip(drawn, picked, strict=True):
            tokens[rows[index]] = token
    return tokens


def _told(
    logits: Tensor, generations: Sequence[Generation], tokens: dict[int, int]
) -> dict[int, TokenLogprob]:
    counts = [generation.sampling.logprobs for generation in generations]
    asked = {row: count for row, count in enumerate(counts) if count is not None}
    if not asked:
        return {}
    rows, chosen = list(asked), [tokens[row] for row in asked]
    token_bytes = generations[rows[0]].vocabulary.token_bytes
    return dict(zip(rows, tell(_rows(logits, rows), chosen, list(asked.values()), token_bytes), strict=True))


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
        _draw_freely(scaled, free, keys, tokens)
    left = [row for row, sampling in enumerate(samplings) if _filtered(sampling)]
    for size in (*LIKELIEST, rows.shape[1]):
        size = min(size, rows.shape[1])
        tried = [row for row in left if samplings[row].top_k < size or size == rows.shape[1]]
        done = set(_draw_among(scaled, size, tried, samplings, keys, tokens) if tried else ())
        left = [row for row in left if row not in done]
    return tokens


def _draw_freely(scaled: Tensor, rows: Sequence[int], keys: Sequence[int], tokens: list[int]) -> None:
    """Draw from whole rows: among the likeliest and "one of the rest" first, and seldom among the rest. The
    distribution is the whole row's."""
    own, size = _rows(scaled, rows), scaled.shape[1]
    values, ids = own.topk(min(LIKELIEST[0], size), dim=-1)
    left = own.scatter(1, ids, -INFINITY)
    rest = left.logsumexp(dim=-1, keepdim=True)
    first = torch.cat([values, rest], 1), torch.cat([ids, ids.new_full(rest.shape, size)], 1)
    _race(*first, rows, keys, tokens)
    others = [index for index, row in enumerate(rows) if tokens[row] == size]
    if others:
        every = torch.arange(size, device=own.device)[None]
        _race(left[others], every, [rows[index] for index in others], keys, tokens)


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
    own = _rows(scaled, rows)
    values, ids = own.topk(size, dim=-1)
    total = own.logsumexp(dim=-1, keepdim=True)
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
    """Put a draw from softmax(values float32 [B, K]) of tokens ids [B or 1, K] into `tokens` at `rows`."""
    noise = exponential([keys[row] for row in rows], ids).log_()
    picked = torch.sub(values, noise, out=noise).argmax(dim=-1, keepdim=True)
    for row, token in zip(rows, ids.expand_as(values).gather(1, picked)[:, 0].tolist(), strict=True):
        tokens[row] = token


def exponential(keys: Sequence[int], ids: Tensor) -> Tensor:
    """Exponential variates float32 [B, K] that depend on each row's key and its tokens' ids int64 [B or 1, K].

    The mixing function is "lowbias32" (Wellons, github.com/skeeto/hash-prospector). Its shifts are arithmetic
    here: each clears the sign and maps two values to one, so that 31 evenly spread bits remain.
    """
    signed = [number - 2**32 if number >= 2**31 else number for number in keys]
    bits = ids.to(torch.int32) * -0x61C88647  # 2**32 divided by the golden ratio
    bits = bits ^ torch.tensor(signed, dtype=torch.int32, device=ids.device)[:, None]
    shifted = bits >> 16
    bits ^= shifted
    bits *= 0x7FEB352D
    bits ^= torch.bitwise_right_shift(bits, 15, out=shifted)
    bits *= -0x7B935975
    bits ^= torch.bitwise_right_shift(bits, 16, out=shifted)
    bits >>= 8  # with the half added, as many as float32 holds: one more would round up to 1, whose noise is infinite
    return bits.float().add_(0.5).mul_(2.0**-23).log_().neg_()
