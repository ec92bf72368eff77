"""Probabilities of a classification adapter over a base in the form in which it is served."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from models_zoo.llm.adapter import LoadedAdapter, load_adapter
from models_zoo.llm.batch import Segment
from models_zoo.llm.card import ModelError
from models_zoo.llm.decoder import Decoder, load_decoder
from models_zoo.llm.heads import PooledHead
from models_zoo.llm.tokenizer import ChatTokenizer

BATCH_TOKENS = 2048  # of one forward, padding included
BATCH_TEXTS = 64


def predict(
    base: Path, adapter: Path, texts: Sequence[str], device: str = "cpu", threads: int | None = None
) -> list[dict[str, float]]:
    """Label -> probability (0..1, several may be high) for each text, in order.

    base: a converted base's folder; on "cpu" its int4 weights run packed, as in the worker. Texts are cut at the
    card's `max_tokens`. ModelError when the adapter is not a bidirectional classifier of this base.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    decoder = load_decoder(base, device)
    loaded = load_adapter(adapter, decoder.card)
    if not isinstance(loaded.head, PooledHead) or not loaded.card.bidirectional:
        raise ModelError(
            f"{adapter}: expected a bidirectional classification adapter, found {loaded.card.task}"
        )
    tokenizer = ChatTokenizer(base)
    rows = [ids[: loaded.card.max_tokens] or tokenizer.encode(" ") for ids in tokenizer.encode_many(texts)]
    probabilities: list[dict[str, float]] = [{} for _ in texts]
    classifier = Classifier(decoder, loaded)
    for indices in batches_of_like_length(rows):
        for index, row in zip(indices, classifier([rows[index] for index in indices]), strict=True):
            probabilities[index] = dict(zip(loaded.card.labels, row.tolist(), strict=True))
    return probabilities


class Classifier:
    """One adapter on one resident base."""

    def __init__(self, decoder: Decoder, adapter: LoadedAdapter) -> None:
        self._decoder = decoder
        assert isinstance(adapter.head, PooledHead)  # noqa: S101  (checked by `predict`, for the type checker)
        self._head = adapter.head.to(decoder.device).float()
        self._pool = decoder.lora_pool()
        self._pool.place(1, self._pool.prepare(adapter.weights))

    @torch.inference_mode()
    def __call__(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Token ids, each row non-empty -> probabilities float32 [B, labels]."""
        segments = [Segment(row, bidirectional=True, slot=1) for row in rows]
        lengths = [len(row) for row in rows]
        states = self._decoder.forward(segments, None, self._pool)
        hidden = pad_sequence(list(torch.split(states, lengths)), batch_first=True)
        keep = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
        return self._head(hidden, keep.to(hidden.device)).sigmoid().cpu()  # type: ignore[no-any-return]


def batches_of_like_length(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Row numbers in batches of at most `BATCH_TEXTS` rows and about `BATCH_TOKENS` padded tokens, longest first."""
    order = sorted(range(len(rows)), key=lambda index: -len(rows[index]))
    batches: list[list[int]] = []
    for index in order:
        if not batches or len(batches[-1]) >= _capacity(len(rows[batches[-1][0]])):
            batches.append([])
        batches[-1].append(index)
    return batches


def _capacity(longest: int) -> int:
    return max(1, min(BATCH_TEXTS, BATCH_TOKENS // max(1, longest)))
