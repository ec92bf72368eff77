"""The engine in this process: our decoder, our scheduler, one thread."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from pathlib import Path

from models_zoo.llm.adapter import load_adapter
from models_zoo.llm.card import AdapterCard, AdapterError, Task
from models_zoo.llm.decoder import load_decoder
from models_zoo.llm.spans import Window, spans_of, windows
from models_zoo.llm.tokenizer import ChatTokenizer, TextStream, Unit
from workers.engine.loop import EngineLoop
from workers.engine.protocol import (
    AdapterResidency,
    Call,
    Chunk,
    EngineError,
    EngineStats,
    Message,
    Sampling,
    Span,
)
from workers.engine.requests import Generation, Reading, StopFilter
from workers.engine.runner import Runner
from workers.engine.scheduler import Limits

CANCEL_POLL = 0.05  # seconds between looks at `cancelled` while no token comes
READ_AHEAD = 32  # windows of one call that wait at once
TOKENS_OF_A_STEP = {"cpu": 512, "cuda": 8192}
CONTEXT = 2048
ANYONE = Call()


class LocalEngine:
    """One base, resident on `device`, serving any of its adapters. All methods are thread-safe.

    `threads` bounds the cores of a CPU step; `slots` the adapters resident on the device at once; `sequences`
    the replies written at once, each of at most `context` tokens with its prompt. Raises `ModelError` for a
    bad base.
    """

    def __init__(
        self,
        base_folder: Path,
        device: str = "cpu",
        threads: int | None = None,
        slots: int = 8,
        sequences: int = 16,
        context: int = CONTEXT,
        waiting: int = 512,
    ) -> None:
        self._decoder = load_decoder(base_folder, device)
        self._tokenizer = ChatTokenizer(base_folder)
        self._device = device
        self._slots = slots
        self._context = min(context, self._decoder.config.context)
        self.fingerprint = self._decoder.card.fingerprint
        control = frozenset(i for i, text in enumerate(self._tokenizer.token_bytes) if not text)
        step_tokens = TOKENS_OF_A_STEP[self._decoder.device.type]
        limits = Limits(sequences=sequences, step_tokens=step_tokens, waiting=waiting)
        runner = Runner(self._decoder, sequences, self._context, slots)
        self._loop = EngineLoop(runner, limits, slots, control, threads)

    def generate(
        self,
        prompt: Sequence[Message] | str,
        sampling: Sampling,
        adapter: str | None = None,
        call: Call = ANYONE,
    ) -> Iterator[Chunk]:
        """Write the assistant's next turn, or what follows a plain text, and yield it as it comes.

        `call.cancelled` is asked between chunks; closing the iterator cancels too.
        Raises `ValueError` for malformed messages, `EngineError` for an unknown adapter or a prompt that is
        too long, `EngineBusy` when too many wait (all at the call); `EngineTimeout` from the iterator, past
        the deadline.
        """
        ids = self._tokenizer.encode(prompt) if isinstance(prompt, str) else self._tokenizer.chat(prompt)
        room = self._context - len(ids)
        if room < 1:
            raise EngineError(f"the conversation is {len(ids)} tokens, at most {self._context - 1} fit")
        request = Generation(
            prompt=ids or [self._decoder.card.begin_token],
            sampling=sampling,
            adapter=adapter,
            deadline=call.deadline,
            text=TextStream(self._tokenizer),
            stop=StopFilter(sampling.stop),
            limit=max(1, min(sampling.max_tokens, room)),
        )
        self._loop.submit([request])
        return _chunks(request, call)

    def classify(self, texts: Sequence[str], adapter: str, call: Call = ANYONE) -> list[dict[str, float]]:
        """Label -> probability of each text. A text longer than the adapter's window is the mean of its
        windows.

        Raises `EngineError` when the adapter is not loaded or has no class head, `EngineBusy` when too many
        wait.
        """
        card = self._card(adapter, "classification")
        cut = []
        for ids in self._tokenizer.encode_many(texts):
            ids = ids or [self._decoder.card.end_token]
            cut.append((ids, cut_windows(card, ids)))
        rows = self._read(adapter, cut)
        return [
            dict(zip(card.labels, _mean([row[0] for row in text_rows]), strict=True)) for text_rows in rows
        ]

    def tag(self, texts: Sequence[str], adapter: str, call: Call = ANYONE) -> list[list[Span]]:
        """The labelled spans of each text; long texts are read in overlapping windows.

        Raises `EngineError` when the adapter is not loaded or has no tag head, `EngineBusy` when too many
        wait.
        """
        card = self._card(adapter, "tagging")
        encoded = [self._tokenizer.encode_units(text) for text in texts]
        filled = [(ids, cut_windows(card, ids)) for ids, _ in encoded if ids]
        rows = iter(self._read(adapter, filled))
        return [
            _spans(units, cut_windows(card, ids), next(rows), card) if ids else [] for ids, units in encoded
        ]

    def load(self, adapter: str, folder: Path) -> None:
        """Verify the adapter in `folder` against the base and make it available as `adapter`.

        Raises `AdapterError`. Loading again what is loaded does nothing.
        """
        if adapter not in self._loop.adapters():
            self._loop.add_adapter(adapter, load_adapter(folder, self._decoder.card))

    def unload(self, adapter: str) -> None:
        """Take no new requests for the adapter and forget it after the last one in flight.

        Raises `EngineError` when it is not loaded.
        """
        self._loop.remove_adapter(adapter)

    def adapters(self) -> list[AdapterResidency]:
        """The loaded adapters."""
        return [
            AdapterResidency(name, loaded.card.task, slot, in_use, loaded.weights.rank, loaded.bytes)
            for name, (loaded, slot, in_use) in self._loop.adapters().items()
        ]

    def card(self, adapter: str) -> AdapterCard:
        """The card of a loaded adapter: its labels, thresholds, metrics. Raises `EngineError`."""
        return self._loop.adapter(adapter).card

    def stats(self) -> EngineStats:
        """Counters since start and occupancy now."""
        running, waiting = self._loop.occupancy()
        counters = self._loop.counters
        return EngineStats(
            fingerprint=self.fingerprint,
            device=self._device,
            running=running,
            waiting=waiting,
            requests=counters.requests,
            generated_tokens=counters.generated_tokens,
            prompt_tokens=counters.prompt_tokens,
            texts=counters.texts,
            errors=counters.errors,
            adapters=len(self._loop.adapters()),
            slots=self._slots,
            tokens_per_second=self._loop.rate(),
        )

    def close(self) -> None:
        """Fail what is in flight and stop the engine thread."""
        self._loop.close()

    def _card(self, adapter: str, task: Task) -> AdapterCard:
        card = self.card(adapter)
        if card.task != task:
            raise EngineError(f"adapter {adapter} is for {card.task}, not {task}")
        return card

    def _read(
        self, adapter: str, texts: list[tuple[list[int], list[Window]]]
    ) -> list[list[list[list[float]]]]:
        """The rows of every window of every text. A large call is fed in bit by bit, leaving others their turn."""
        readings = [
            [Reading(ids=ids[window.start : window.stop], adapter=adapter) for window in cut]
            for ids, cut in texts
        ]
        flat = [reading for group in readings for reading in group]
        for start in range(0, len(flat), READ_AHEAD):
            piece = flat[start : start + READ_AHEAD]
            self._loop.submit(piece)
            for reading in piece:
                reading.result.exception()  # waits; an error is raised below
        return [[reading.result.result() for reading in group] for group in readings]


def cut_windows(card: AdapterCard, ids: list[int]) -> list[Window]:
    """The windows in which a text of these tokens is read."""
    return windows(len(ids), card.max_tokens, card.overlap_tokens)


def _chunks(request: Generation, call: Call) -> Iterator[Chunk]:
    try:
        while True:
            request.cancelled = request.cancelled or call.cancelled()
            try:
                item = request.out.get(timeout=CANCEL_POLL)
            except queue.Empty:
                continue
            if isinstance(item, Exception):
                raise item
            yield item
            if item.finish_reason is not None:
                return
    finally:
        request.cancelled = True


def _mean(rows: list[list[float]]) -> list[float]:
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def _spans(
    units: list[Unit], cut: list[Window], rows: list[list[list[float]]], card: AdapterCard
) -> list[Span]:
    """Each unit's tag comes from its first token (its last, in causal mode), in the window that keeps it."""
    tags, scores = [], []
    window = 0
    for unit in units:
        position = unit.first_token if card.bidirectional else unit.first_token + unit.tokens - 1
        while position >= cut[window].keep_stop:
            window += 1
        row = rows[window][position - cut[window].start]
        tags.append(max(range(len(row)), key=row.__getitem__))
        scores.append(row[tags[-1]])
    return [Span(s.start, s.end, s.label, s.score) for s in spans_of(units, tags, scores, card.labels)]


__all__ = ["AdapterError", "LocalEngine"]
