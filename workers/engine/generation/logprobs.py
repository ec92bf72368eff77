"""How likely a token was, and which others were, in the model's own distribution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.engine.protocol import TokenLogprob


def tell(
    logits: Tensor, tokens: Sequence[int], top: Sequence[int], token_bytes: Sequence[bytes]
) -> list[TokenLogprob]:
    """logits float32 [B, vocabulary] before anything changed them, the token chosen in each row, and how
    many of the likeliest to tell with it (0 for none) -> natural-logarithm probabilities."""
    total = logits.logsumexp(dim=-1, keepdim=True)
    chosen = torch.tensor(tokens, device=logits.device)[:, None]
    own = (logits.gather(1, chosen) - total)[:, 0].tolist()
    values, ids = logits.topk(min(max(top), logits.shape[1]), dim=-1)
    values = values - total
    return [
        TokenLogprob(
            token,
            token_bytes[token],
            logprob,
            tuple(
                TokenLogprob(other, token_bytes[other], value)
                for other, value in zip(row_ids[:count], row_values[:count], strict=True)
            ),
        )
        for token, logprob, row_values, row_ids, count in zip(
            tokens, own, values.tolist(), ids.tolist(), top, strict=True
        )
    ]
