"""How likely a token was, and which others were, in the model's own distribution."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from workers.engine.protocol import TokenLogprob


def tell(
    logits: Tensor, tokens: Sequence[int], top: Sequence[int], token_bytes: Sequence[bytes]
) -> list[TokenLogprob]:
    """logits float32 [B, vocabulary] before anything changed them, the token chosen in each row, and how
    many of the likeliest to tell with it (0 for none) -> natural-logarithm probabilities."""
    scores = logits.log_softmax(dim=-1)
    own = scores.gather(1, scores.new_tensor(tokens).long()[:, None])[:, 0].tolist()
    values, ids = scores.topk(min(max(top), scores.shape[1]), dim=-1)
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
