"""What residency knows of an adapter."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from models_zoo.llm.card import CONTENT_FILES, AdapterCard

Signature = tuple[Path, tuple[tuple[str, int, int], ...]]


class Prepared(Protocol):
    """An adapter in the device's own layout, in host memory."""

    @property
    def card(self) -> AdapterCard: ...

    @property
    def rank(self) -> int: ...

    @property
    def bytes(self) -> int: ...


Weights = TypeVar("Weights", bound=Prepared)


@dataclass(slots=True)
class Known(Generic[Weights]):
    """An adapter that can be asked for. `failure` says why its folder could not be read again, `placed` the
    number of its last arrival in a slot, `used` when it was last asked for and `since` when that began without a
    pause (monotonic seconds)."""

    folder: Path
    digest: str
    signature: Signature
    card: AdapterCard
    rank: int
    bytes: int
    weights: Weights | None
    wanted: int = 0  # requests that name it, from submission to their end
    hits: int = 0  # requests that have named it
    leaving: bool = False
    pinned: bool = False
    loading: bool = False
    failure: str = ""
    placed: int = 0
    used: float = field(default_factory=time.monotonic)
    since: float = 0.0
    again: Callable[[], Weights] | None = None  # reads what was kept beside its files

    @property
    def missing(self) -> bool:
        return bool(self.wanted) and self.weights is None and not self.loading and not self.failure

    def move(self, folder: Path, files: Signature) -> None:
        """The same content lies in other files from now on."""
        self.folder, self.signature, self.again = folder, files, None

    def over(self, unused_since: float) -> bool:
        """Whether it can be forgotten: it was removed, or lies unused on disk. It loads again when asked for. One that
        is being read is not: its bytes are taken until that has ended."""
        unused = self.weights is None and not self.pinned and self.used <= unused_since
        return not (self.wanted or self.loading) and (self.leaving or unused)


def signature(folder: Path) -> Signature:
    """Sizes and times of an adapter's files: as long as they are the same, they need not be read to be known."""
    found = ((name, folder / name) for name in CONTENT_FILES)
    stats = ((name, path.stat()) for name, path in found if path.is_file())
    return folder, tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
