"""The engine in this process: our decoder, our scheduler, one thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from models_zoo.llm.adapter_memory import POOL_RANKS
from models_zoo.llm.card import AdapterCard, AdapterError, Task
from models_zoo.llm.decoder import Form, load_decoder
from models_zoo.llm.devices import has_triton
from models_zoo.llm.paged import PagedCache, bytes_per_block
from models_zoo.llm.spans import Window, cut_windows, windows
from models_zoo.llm.tokenizer import ChatTokenizer
from workers.engine.generation.group import open_group
from workers.engine.generation.request import Reading, Ticket, Vocabulary
from workers.engine.generation.stream import CANCEL_POLL, Chunks
from workers.engine.loop import EngineLoop
from workers.engine.protocol import (
    AdapterResidency,
    Call,
    Chunk,
    Embedding,
    EngineError,
    EngineStats,
    Message,
    PromptTooLong,
    Sampling,
    Span,
)
from workers.engine.rows import mean, spans, unit
from workers.engine.runner import Runner
from workers.engine.scheduling.blocks import BlockPool
from workers.engine.scheduling.limits import Limits
from workers.engine.scheduling.scheduler import Scheduler

READ_AHEAD = 32  # windows of one call that wait at once
TOKENS_OF_A_STEP = {"cpu": 256, "cuda": 8192}
CHUNK_BESIDE_DECODING = {"cpu": 64, "cuda": 8192}  # a CPU reads about one token a millisecond
CONTEXT = 2048
BLOCK_TOKENS = 16
EMBEDDED_TOGETHER = 256  # tokens of a text that an embedding is read from at once
MEGABYTE = 1 << 20
TIERS = ("device", "memory", "disk")
TOKEN_MS = 30.0
ANYONE = Call()


class LocalEngine:
    """One base, resident on `device`, serving any of its adapters. All methods are thread-safe.

    `threads` bounds the cores of a CPU step; `slots` the adapters on the device at once; `sequences` the replies
    written at once, each of at most `context` tokens with its prompt; `kv_bytes` the memory of all their keys and
    values; `adapter_bytes` the memory of adapters; `waiting` the requests that may wait; `native` false keeps our
    own kernels out; `token_ms` is the time between tokens that a trainer beside it should leave;
    `largest_rank` that of the adapters it takes. Raises `ModelError` for a bad base.
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
        native: bool = True,
        token_ms: float = TOKEN_MS,
        form: Form | None = None,
        largest_rank: int = POOL_RANKS[-1],
    ) -> None:
        decoder = load_decoder(base_folder, device, form, native, sequences)
        self._decoder = decoder
        self._base, self._device, self._slots = decoder.card, device, slots
        self._token_ms, self._adapter_room = token_ms, adapter_bytes
        self._tokenizer = ChatTokenizer(base_folder)
        self._vocabulary = Vocabulary(self._tokenizer, decoder.card.end_token, decoder.config.vocabulary)
        self.fingerprint = decoder.card.fingerprint
        kind = decoder.device.type
        count = max(1, kv_bytes // bytes_per_block(decoder.config, BLOCK_TOKENS))
        cache = PagedCache(decoder.config, count, BLOCK_TOKENS, decoder.device)
        self._blocks = BlockPool(count, BLOCK_TOKENS)
        self._context = min(context, decoder.config.context, count * BLOCK_TOKENS)
        self._window = min(EMBEDDED_TOGETHER, self._context)
        limits = Limits(
            sequences=sequences,
            step_tokens=TOKENS_OF_A_STEP[kind],
            chunk_tokens=CHUNK_BESIDE_DECODING[kind],
            waiting=waiting,
        )
        pool = decoder.lora_pool(slots)
        self._adapter_form = pool.memory_form
        self._loop = EngineLoop(
            Runner(decoder, cache, pool, largest_rank),
            Scheduler(limits, self._blocks),
            slots=slots,
            adapter_bytes=adapter_bytes,
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
        self._refuse_bytes(prompt)
        ids = self._tokenizer.encode(prompt) if isinstance(prompt, str) else self._tokenizer.chat(prompt)
        ids = ids or [self._base.begin_token]
        room = self._context - len(ids)
        if room < 1:
            raise PromptTooLong(f"the {_kind(prompt)} is {len(ids)} tokens, at most {self._context - 1} fit")
        limit = max(1, min(sampling.max_tokens, room))
        group = open_group(Ticket(call), ids, sampling, self._vocabulary, limit, adapter)
        self._loop.submit([group.first])
        return Chunks(group)

    def classify(self, texts: Sequence[str], adapter: str, call: Call = ANYONE) -> list[dict[str, float]]:
        """Label -> probability of each text. A text longer than the adapter's window is the mean of its windows.

        Raises `EngineError` when the adapter is not loaded or has no class head, `NotFinite` when its numbers
        overflow, `EngineBusy` when too many wait.
        """
        card = self._task_card(adapter, "classification")
        cut = [(ids, cut_windows(card, len(ids))) for ids in self._encoded(texts)]
        rows = self._read(adapter, cut, call)
        return [dict(zip(card.labels, mean([row[0] for row in text]), strict=True)) for text in rows]

    def tag(self, texts: Sequence[str], adapter: str, call: Call = ANYONE) -> list[list[Span]]:
        """The labelled spans of each text; long texts are read in overlapping windows.

        Raises `EngineError` when the adapter is not loaded or has no tag head, `NotFinite` when its numbers
        overflow, `EngineBusy` when too many wait.
        """
        card = self._task_card(adapter, "tagging")
        encoded = [self._tokenizer.encode_units(text) for text in texts]
        filled = [(ids, cut_windows(card, len(ids))) for ids, _ in encoded if ids]
        rows = iter(self._read(adapter, filled, call))
        return [
            spans(units, cut_windows(card, len(ids)), next(rows), card) if ids else []
            for ids, units in encoded
        ]

    def embed(self, texts: Sequence[str], adapter: str | None = None, call: Call = ANYONE) -> list[Embedding]:
        """The mean of each text's last hidden states, of length 1; a long text is the mean of its windows.

        Raises `EngineError` when the adapter is not loaded or is not for chat, `NotFinite` when its numbers overflow,
        `EngineBusy` when too many wait.
        """
        if adapter is not None:
            self._task_card(adapter, "chat")
        cut = [(ids, windows(len(ids), self._window, 0)) for ids in self._encoded(texts)]
        rows = self._read(adapter, cut, call)
        return [
            Embedding(unit(mean([row[0] for row in text])), len(ids))
            for text, (ids, _) in zip(rows, cut, strict=True)
        ]

    def load(self, adapter: str, folder: Path) -> None:
        """Verify the adapter in `folder` against the base and make it available as `adapter`.

        Raises `AdapterError`. Loading again what is loaded does nothing.
        """
        self._loop.residency.register(adapter, folder)

    def unload(self, adapter: str) -> None:
        """Take no new requests for the adapter and forget it after the last one in flight.

        Raises `EngineError` when it is not loaded.
        """
        self._loop.residency.remove(adapter)
        self._loop.wake()

    def pin(self, adapter: str, pinned: bool = True) -> None:
        """Keep the adapter in memory whatever else is asked for, or no longer. Raises `EngineError`."""
        self._loop.residency.pin(adapter, pinned)

    def warm(self, adapter: str) -> bool:
        """Read the adapter into memory before it is asked for, if there is room; whether it is or will be there.

        Raises `EngineError` when it is not loaded.
        """
        return self._loop.residency.warm(adapter)

    def cool(self, adapter: str) -> None:
        """Free the adapter's memory after the last request in flight; it can be asked for and is then read again.

        Raises `EngineError` when it is not loaded.
        """
        self._loop.residency.cool(adapter)

    def adapters(self) -> list[AdapterResidency]:
        """The adapters that can be asked for, and where they are."""
        return self._loop.residency.list()

    def card(self, adapter: str) -> AdapterCard:
        """The card of a loaded adapter: its labels, thresholds, metrics. Raises `EngineError`."""
        return self._loop.residency.card(adapter)

    def stats(self) -> EngineStats:
        """What is going on now, and counters since start."""
        running, waiting = self._loop.occupancy()
        metrics, residency = self._loop.metrics, self.adapters()
        return EngineStats(
            fingerprint=self.fingerprint,
            device=self._device,
            running=running,
            waiting=waiting,
            adapters=len(residency),
            slots=self._slots,
            tiers={tier: sum(one.tier == tier for one in residency) for tier in TIERS},
            adapter_bytes=sum(one.bytes for one in residency if one.tier != "disk"),
            adapter_room=self._adapter_room,
            adapter_form=self._adapter_form,
            kv_blocks=self._blocks.count,
            kv_blocks_used=self._blocks.used,
            kv_blocks_cached=self._blocks.cached,
            tokens_per_second=metrics.rate(),
            token_ms=metrics.token_ms(),
            token_budget_ms=self._token_ms,
            requests=metrics.requests,
            generated_tokens=metrics.generated_tokens,
            prompt_tokens=metrics.prompt_tokens,
            prefix_hit_tokens=self._loop.scheduler.prefix[0],
            texts=metrics.texts,
            errors=metrics.errors,
            preemptions=metrics.preemptions,
            steps=metrics.steps,
            first_token_ms=metrics.first_token_ms.snapshot(),
            inter_token_ms=metrics.inter_token_ms.snapshot(),
            batch=metrics.batch.snapshot(),
        )

    def shared_base(self) -> dict[str, Any] | None:
        """How another process can map the base's weights on CUDA, see `models_zoo.llm.cuda.share.export`; None on a
        CPU, where it maps the file. To be asked once."""
        if self._decoder.device.type != "cuda" or not has_triton():
            return None
        from models_zoo.llm.cuda.share import export

        return export(self._decoder)

    def close(self) -> None:
        """Fail what is in flight and stop the engine thread."""
        self._loop.close()

    def _refuse_bytes(self, prompt: Sequence[Message] | str) -> None:
        """Raise `PromptTooLong` for what cannot fit, however its bytes make tokens: before the work of making them."""
        texts = (
            [prompt] if isinstance(prompt, str) else [str(message.get("content", "")) for message in prompt]
        )
        size, most = sum(len(text.encode(errors="replace")) for text in texts), self._context - 1
        if size > most * self._tokenizer.longest:
            raise PromptTooLong(f"the {_kind(prompt)} is {size:,} bytes, at most {most} tokens fit")

    def _encoded(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, never none."""
        return [ids or [self._base.end_token] for ids in self._tokenizer.encode_many(texts)]

    def _task_card(self, adapter: str, task: Task) -> AdapterCard:
        card = self.card(adapter)
        if card.task != task:
            raise EngineError(f"adapter {adapter} is for {card.task}, not {task}")
        return card

    def _read(
        self, adapter: str | None, texts: list[tuple[list[int], list[Window]]], call: Call
    ) -> list[list[list[list[float]]]]:
        """The rows of every window of every text. A large call is fed in bit by bit, leaving others their turn."""
        ticket = Ticket(call)
        readings = [
            [Reading(ticket=ticket, adapter=adapter, ids=ids[window.start : window.stop]) for window in cut]
            for ids, cut in texts
        ]
        flat = [reading for group in readings for reading in group]
        for start in range(0, len(flat), READ_AHEAD):
            piece = flat[start : start + READ_AHEAD]
            self._loop.submit(piece)
            for reading in piece:
                _wait(reading)
        return [[reading.result.result() for reading in group] for group in readings]


def _kind(prompt: Sequence[Message] | str) -> str:
    return "prompt" if isinstance(prompt, str) else "conversation"


def _wait(reading: Reading) -> None:
    """Until it is read. Raises why it was not; the rest of its call ends with it."""
    ticket = reading.ticket
    while True:
        if ticket.call.cancelled():
            ticket.cancelled = True
        try:
            reading.result.result(timeout=CANCEL_POLL)
            return
        except TimeoutError:
            continue
        except EngineError:
            ticket.cancelled = True
            raise


__all__ = ["AdapterError", "LocalEngine"]
