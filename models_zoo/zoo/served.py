"""A base with one adapter, read as a worker reads it: the same kernels, windows, thresholds and greedy choice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from models_zoo.llm.adapter import load_adapter
from models_zoo.llm.batch import Segment
from models_zoo.llm.card import AdapterCard
from models_zoo.llm.decoder import load_decoder
from models_zoo.llm.heads import PooledHead, class_probabilities
from models_zoo.llm.paged import PagedCache
from models_zoo.llm.scores import given_labels
from models_zoo.llm.spans import Window, cut_windows, read_spans
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.zoo.files import Row

STEP_TOKENS = {"cpu": 2048, "cuda": 16384}  # of one forward
AT_ONCE = {"cpu": 16, "cuda": 64}  # answers
BLOCK = 16
Piece = tuple[int, Sequence[int]]  # number of the text, and the tokens of one of its windows


class Served:
    """The adapter in `adapter` on the int4 base in `base`, on "cpu" or "cuda".

    Raises `ModelError` when the base cannot be read or the adapter is not of it.
    """

    def __init__(
        self, base: Path, adapter: Path, device: str = "cpu", threads: int | None = None, form: Any = "int4"
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._decoder = load_decoder(
            base, device, form if device == "cpu" or torch.cuda.is_available() else None
        )
        loaded = load_adapter(adapter, self._decoder.card)
        self.card: AdapterCard = loaded.card
        self._head = None if loaded.head is None else loaded.head.to(self._decoder.device).float()
        self._pool = self._decoder.lora_pool()
        self._pool.place(1, self._pool.prepare(loaded.weights))
        self._tokenizer = ChatTokenizer(base)
        self._kind = self._decoder.device.type

    def given(self, rows: Sequence[Row], answer_tokens: int = 0) -> list[Any]:
        """What the adapter gives for each example: labels, (start, end, label) spans, or an answer."""
        if self.card.task == "classification":
            return self.labels(self.probabilities([row["text"] for row in rows]))
        if self.card.task == "tagging":
            return self.spans([row["text"] for row in rows])
        return self.answers([row["messages"][:-1] for row in rows], answer_tokens)

    def labels(self, probabilities: NDArray[np.float64]) -> list[list[str]]:
        """The labels that a worker would give, from probabilities [texts, labels]."""
        scores = (dict(zip(self.card.labels, row.tolist(), strict=True)) for row in probabilities)
        return [given_labels(self.card, one) for one in scores]

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """[texts, labels]; a text of several windows is their mean."""
        rows = [ids or [self._decoder.card.end_token] for ids in self._tokenizer.encode_many(texts)]
        total, count = np.zeros((len(texts), len(self.card.labels))), np.zeros((len(texts), 1))
        for pieces in _steps(self._pieces(rows), STEP_TOKENS[self._kind]):
            for (text, _), found in zip(pieces, self._classes([ids for _, ids in pieces]), strict=True):
                total[text] += found
                count[text] += 1
        return total / count

    def spans(self, texts: Sequence[str]) -> list[list[tuple[int, int, str]]]:
        """The labelled spans of each text, in characters."""
        encoded = [self._tokenizer.encode_units(text) for text in texts]
        rows: list[list[Any]] = [[] for _ in texts]
        for pieces in _steps(
            self._pieces([ids for ids, _ in encoded]), STEP_TOKENS[self._kind], ordered=True
        ):
            for (text, _), tags in zip(pieces, self._tags([ids for _, ids in pieces]), strict=True):
                rows[text].append(tags)
        return [
            [
                (span.start, span.end, span.label)
                for span in read_spans(units, cut_windows(self.card, len(ids)), found, self.card)
            ]
            for (ids, units), found in zip(encoded, rows, strict=True)
        ]

    def answers(self, conversations: Sequence[Sequence[dict[str, str]]], most: int) -> list[str]:
        """The likeliest next turn of each conversation, greedily, of at most `most` tokens."""
        prompts = [
            self._tokenizer.chat(one)[-(self._decoder.config.context - most) :] for one in conversations
        ]
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        answers = [""] * len(prompts)
        for start in range(0, len(order), AT_ONCE[self._kind]):
            chosen = order[start : start + AT_ONCE[self._kind]]
            written = self._write([prompts[index] for index in chosen], most)
            for index, ids in zip(chosen, written, strict=True):
                answers[index] = self._tokenizer.decode(ids).strip()
        return answers

    def _pieces(self, rows: Sequence[Sequence[int]]) -> list[Piece]:
        return [
            (text, ids[window.start : window.stop])
            for text, ids in enumerate(rows)
            for window in self._cut(len(ids))
        ]

    def _cut(self, length: int) -> list[Window]:
        return cut_windows(self.card, length) if length else []

    @torch.inference_mode()
    def _states(self, rows: Sequence[Sequence[int]]) -> list[Tensor]:
        """Hidden states float32 [tokens, H] of each row."""
        segments = [Segment(row, bidirectional=self.card.bidirectional, slot=1) for row in rows]
        states = self._decoder.forward(segments, None, self._pool)
        return list(torch.split(states, [len(row) for row in rows]))

    @torch.inference_mode()
    def _classes(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        head = self._head
        if not isinstance(head, PooledHead):
            raise ValueError(f"{self.card.name} is for {self.card.task}, not for classification")
        states = self._states(rows)
        lengths = torch.tensor([len(row) for row in rows])
        keep = torch.arange(int(lengths.max())) < lengths[:, None]
        logits = head(pad_sequence(states, batch_first=True), keep.to(states[0].device))
        found: NDArray[np.float64] = class_probabilities(logits, self.card.multi_label).cpu().double().numpy()
        return found

    @torch.inference_mode()
    def _tags(self, rows: Sequence[Sequence[int]]) -> list[list[list[float]]]:
        """[rows][tokens][tags]"""
        if self._head is None:
            raise ValueError(f"{self.card.name} is for {self.card.task}, not for tagging")
        tags = self._head(torch.cat(self._states(rows))).softmax(dim=-1).cpu()
        return [part.tolist() for part in torch.split(tags, [len(row) for row in rows])]

    @torch.inference_mode()
    def _write(self, prompts: Sequence[list[int]], most: int) -> list[list[int]]:
        """Greedy continuations of several prompts at once."""
        decoder = self._decoder
        needed = [-(-(len(prompt) + most) // BLOCK) for prompt in prompts]
        cache = PagedCache(decoder.config, sum(needed), BLOCK, decoder.device)
        tables = [list(range(sum(needed[:at]), sum(needed[: at + 1]))) for at in range(len(needed))]
        read = [
            decoder.forward([Segment(ids, blocks=table, slot=1)], cache, self._pool)[-1:]
            for ids, table in zip(prompts, tables, strict=True)
        ]
        said: list[list[int]] = [[] for _ in prompts]
        open_ones, hidden = list(range(len(prompts))), torch.cat(read)
        for _ in range(most):
            tokens = decoder.logits(hidden).argmax(dim=-1).tolist()
            for at, token in zip(open_ones, tokens, strict=True):
                said[at].append(token)
            open_ones = [at for at in open_ones if said[at][-1] != decoder.card.end_token]
            if not open_ones:
                break
            segments = [
                Segment([said[at][-1]], len(prompts[at]) + len(said[at]) - 1, tables[at], slot=1)
                for at in open_ones
            ]
            hidden = decoder.forward(segments, cache, self._pool)
        return [ids[:-1] if ids and ids[-1] == decoder.card.end_token else ids for ids in said]


def _steps(pieces: Sequence[Piece], tokens: int, ordered: bool = False) -> list[list[Piece]]:
    """Groups of pieces of like length, of about so many tokens; `ordered` keeps a text's pieces in their order."""
    order = sorted(pieces, key=lambda piece: -len(piece[1])) if not ordered else list(pieces)
    steps: list[list[Piece]] = []
    longest = 0
    for piece in order:
        longest = max(longest, len(piece[1]))
        if not steps or longest * (len(steps[-1]) + 1) > tokens:
            steps.append([])
            longest = len(piece[1])
        steps[-1].append(piece)
    return steps
