"""Penalties on tokens that were said before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from workers.engine.protocol import Sampling


class Penalties:
    """What one reply has said so far, and what that costs.

    `repetition_penalty` divides positive logits and multiplies negative ones (Keskar et al., 2019), for
    tokens of prompt and reply; `frequency_penalty` is subtracted for each time a token stands in the reply,
    `presence_penalty` once (OpenAI).
    """

    def __init__(self, prompt: Iterable[int], sampling: Sampling) -> None:
        self._repetition = sampling.repetition_penalty
        self._frequency, self._presence = sampling.frequency_penalty, sampling.presence_penalty
        self._said: Counter[int] = Counter()
        self._seen = dict.fromkeys(prompt if self._repetition != 1.0 else ())

    def copy(self) -> Penalties:
        """For a reply that begins alike."""
        other = Penalties.__new__(Penalties)
        other._repetition, other._frequency, other._presence = (
            self._repetition,
            self._frequency,
            self._presence,
        )
        other._said, other._seen = self._said.copy(), self._seen.copy()
        return other

    def add(self, token: int) -> None:
        """The reply goes on with `token`."""
        self._said[token] += 1
        self._seen[token] = None

    def apply(self, row: Tensor) -> None:
        """Change row float32 [vocabulary]."""
        if self._repetition != 1.0 and self._seen:
            index = _tensor(list(self._seen), row)
            values = row[index]
            row[index] = torch.where(values > 0, values / self._repetition, values * self._repetition)
        if (self._frequency or self._presence) and self._said:
            counts = row.new_tensor(list(self._said.values()))
            row[_tensor(list(self._said), row)] -= self._frequency * counts + self._presence


def penalized(sampling: Sampling) -> bool:
    """Whether any penalty is asked for."""
    return bool(sampling.repetition_penalty != 1.0 or sampling.presence_penalty or sampling.frequency_penalty)


def _tensor(tokens: Sequence[int], row: Tensor) -> Tensor:
    return torch.tensor(tokens, device=row.device)
