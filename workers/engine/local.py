"""The engine in this process: our decoder, our scheduler, one thread."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from collections import Counter
from pathlib import Path

from models_zoo.llm.card import AdapterCard, AdapterError, Task
from models_zoo.llm.decoder import load_decoder
from models_zoo.llm.lora import LoraPool
from models_zoo.llm.paged import PagedCache
from models_zoo.llm.spans import Window, spans_of, windows
from models_zoo.llm.tokenizer import ChatTokenizer, Unit
from workers.engine.generation.constraints import Grammars
from workers.engine.generation.group import Group
from workers.engine.generation.request import Reading
from workers.engine.loop import EngineLoop
from workers.engine.protocol import (
    AdapterResidency,
    Call,
    Chunk,
    Embedding,
    EngineError,
    EngineStats,
    Message,
    Sampling,
    Span,
)
from workers.engine.runner import Runner
from workers.engine.scheduling.blocks import BlockPool
from workers.engine.scheduling.limits import Limits
from workers.engine.scheduling.scheduler import Scheduler

CANCEL_POLL = 0.05  # seconds between looks at `cancelled` while no token comes
READ_AHEAD = 32  # windows of one call that wait at once
TOKENS_OF_A_STEP = {"cpu": 256, "cuda": 8192}
CONTEXT = 2048
BLOCK_TOKENS = 16
MEGABYTE = 1 << 20
ANYONE = Call()


class LocalEngine:
    """One base, resident on `device`, serving any of its adapters. All methods are thread-safe.

    `threads` bounds the cores of a CPU step; `slots` the adapters on the device at once; `sequences` the replies
    written at once, each of at most `context` tokens with its prompt; `kv_bytes` the memory of all their keys and
    values; `adapter_bytes` the memory of adapters; `waiting` the requests that may wait. Raises `ModelError` for
    a bad base.
    """

    def __init__(
        self,
        base_folder: Path,
        device: str = "cpu",
        threads: int | None = None,
        slots: int = 16,
        sequences: int = 16,
        context: int = CONTEXT,
        waiting: int = 512,
        kv_bytes: int = 512 * MEGABYTE,
        adapter_bytes: int = 512 * MEGABYTE,
    ) -> None:
        decoder = load_decoder(base_folder, device)
        self._card, self._device, self._slots = decoder.card, device, slots
        self._tokenizer = ChatTokenizer(base_folder)
        self._grammars = Grammars(self._tokenizer, decoder.card.end_token)
        self.fingerprint = decoder.card.fingerprint
        kind = decoder.device.type
        count = max(1, kv_bytes // PagedCache.bytes_per_block(decoder.config, BLOCK_TOKENS))
        cache = PagedCache(decoder.config, count, BLOCK_TOKENS, decoder.device)
        self._blocks = BlockPool(count, BLOCK_TOKENS)
        self._context = min(context, decoder.config.context, count * BLOCK_TOKENS)
        limits = Limits(sequences=sequences, step_tokens=TOKENS_OF_A_STEP[kind], waiting=waiting)
        control = frozenset(i for i, text in enumerate(self._tokenizer.token_bytes) if not text)
        self._loop = EngineLoop(
            Runner(decoder, cache, LoraPool(decoder.config, slots, decoder.device, decoder.dtype)),
            Scheduler(limits, self._blocks),
            control,
            slots=slots,
            adapter_bytes=adapter_bytes,
            waiting=waiting,
            threads=threads,
        )

    def generate(
        self,
        prompt: Sequence[Message] | str,
        sampling: Sampling,
        adapter: str | None = None,
        call: Call = ANYONE,
    ) -> Iterator[Chunk]:
        """Write the assistant's next turn, or what follows a plain text, and yield it as it comes.

        `call.cancelled` is asked between chunks; closing the iterator cancels too. Raises `ValueError` for
        malformed messages, `EngineError` for an unknown adapter, an impossible constraint or a prompt that is too
        long, `EngineBusy` when too many wait (all at the call); `EngineTimeout` from the iterator, past the
        deadline.
        """
        ids = self._tokenizer.encode(prompt) if isinstance(prompt, str) else self._tokenizer.chat(prompt)
        room = self._context - len(ids)
        if room < 1:
            raise EngineError(f"the conversation is {len(ids)} tokens, at most {self._context - 1} fit")
        group = Group(...)
        self._loop.submit([group.leader])
        return _chunks(group, call)

    def classify(self, texts: Sequence[str], adapter: str, call: Call = ANYONE) -> list[dict[str, float]]:
        """Label -> probability of each text. A text longer than the adapter's window is the mean of its windows.

        Raises `EngineError` when the adapter is not loaded or has no class head, `EngineBusy` when too many wait.
        """
        card = self._task_card(adapter, "classification")
        cut = [(ids, cut_windows(card, ids)) for ids in self._encoded(texts)]
        rows = self._read(adapter, cut, call)
        return [dict(zip(card.labels, _mean([row[0] for row in text]), strict=True)) for text in rows]

    def tag(self, texts: Sequence[str], adapter: str, call: Call = ANYONE) -> list[list[Span]]:
        """The labelled spans of each text; long texts are read in overlapping windows.

        Raises `EngineError` when the adapter is not loaded or has no tag head, `EngineBusy` when too many wait.
        """
        card = self._task_card(adapter, "tagging")
        encoded = [self._tokenizer.encode_units(text) for text in texts]
        filled = [(ids, cut_windows(card, ids)) for ids, _ in encoded if ids]
        rows = iter(self._read(adapter, filled, call))
        return [
            _spans(units, cut_windows(card, ids), next(rows), card) if ids else [] for ids, units in encoded
        ]

    def embed(
        self, texts: Sequence[str], adapter: str | None = None, call: Call = ANYONE
    ) -> list[Embedding]:
        """The mean of each text's last hidden states, of length 1; a long text is the mean of its windows.

        Raises `EngineError` when the adapter is not loaded or is not for chat, `EngineBusy` when too many wait.
        """
        if adapter is not None:
            self._task_card(adapter, "chat")
        step = TOKENS_OF_A_STEP["cpu"]
        cut = [(ids, windows(len(ids), step, 0)) for ids in self._encoded(texts)]
        rows = self._read(adapter, cut, call)
        return [
            Embedding(_unit(_mean([row[0] for row in text])), len(ids))
            for text, (ids, _) in zip(rows, cut, strict=True)
        ]
