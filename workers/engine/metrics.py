"""What the engine counts of itself: totals since start, distributions, and the last seconds. Free of torch."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field

from workers.engine.protocol import Distribution

FIRST_TOKEN_MS = (25.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0, 12800.0, 25600.0)
INTER_TOKEN_MS = (2.5, 5.0, 10.0, 20.0, 30.0, 45.0, 70.0, 100.0, 150.0, 250.0, 500.0, 1000.0)
BATCH = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
WINDOW_S = 10.0  # seconds of work that the published rates cover
LATELY_S, LATELY = 3.0, 4096  # what `token_ms` covers at most: seconds, and tokens
HIGH = 0.95  # the percentile that it is


@dataclass(slots=True)
class Histogram:
    """Counts by class: counts[i] is of values up to bounds[i], the last of those above all bounds."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        """Count `value`."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def snapshot(self) -> Distribution:
        """As it is now."""
        return Distribution(self.bounds, tuple(self.counts), self.total)


@dataclass(slots=True)
class Metrics:
    """Written by the engine thread alone, read by any."""

    requests: int = 0
    generated_tokens: int = 0
    prompt_tokens: int = 0
    texts: int = 0
    errors: int = 0
    preemptions: int = 0
    steps: int = 0
    first_token_ms: Histogram = field(default_factory=lambda: Histogram(FIRST_TOKEN_MS))
    inter_token_ms: Histogram = field(default_factory=lambda: Histogram(INTER_TOKEN_MS))
    batch: Histogram = field(default_factory=lambda: Histogram(BATCH))
    _recent: deque[tuple[float, float, int]] = field(default_factory=deque)  # end, seconds, tokens
    _gaps: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=LATELY))

    def step(self, seconds: float, entries: int, tokens: int) -> None:
        """One step has run: how long, over how many requests, and how many tokens it wrote."""
        now = time.perf_counter()
        self.steps += 1
        self.batch.add(entries)
        self.generated_tokens += tokens
        if tokens:
            self._recent.append((now, seconds, tokens))
        while self._recent and self._recent[0][0] < now - WINDOW_S:
            self._recent.popleft()

    def token(self, milliseconds: float) -> None:
        """A reply's token has come so long after the one before."""
        self.inter_token_ms.add(milliseconds)
        self._gaps.append((time.perf_counter(), milliseconds))

    def token_ms(self) -> float:
        """The 95th percentile of the time between two tokens of a reply, lately; 0 when none was written."""
        since = time.perf_counter() - LATELY_S
        gaps = sorted(gap for end, gap in list(self._gaps) if end >= since)
        return gaps[int(HIGH * (len(gaps) - 1))] if gaps else 0.0

    def rate(self) -> float:
        """Tokens written per second of the steps that wrote any, lately."""
        steps = list(self._recent)
        seconds = sum(duration for _, duration, _ in steps)
        return sum(tokens for *_, tokens in steps) / seconds if seconds else 0.0
