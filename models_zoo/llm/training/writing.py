"""When a run's state is written, and what becomes of a run whose state cannot be."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError

from models_zoo.llm.training.checkpoint import Identity, State, load_state, save_state

LONG_S, WRITING = 2.0, 20.0  # after a checkpoint that took longer, so many times as long are steps taken


@dataclass(slots=True)
class Writing:
    """The checkpoints of one run: every so many seconds, by the process that writes."""

    path: Path
    identity: Identity
    every_s: float
    writes: bool
    _due: float = field(init=False)
    _failed: bool = False

    def __post_init__(self) -> None:
        self._due = time.monotonic() + self.every_s

    @property
    def is_due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self._due

    def read(self) -> State | None:
        """See `load_state`."""
        return load_state(self.path, self.identity)

    def write(self, state: State) -> str:
        """Write it; words for whoever follows the run where that fails for the first time in a row, as on a full disk:
        the run goes on, and so does one that is killed then, from an earlier state."""
        began, told = time.monotonic(), ""
        try:
            save_state(self.path, self.identity, state, self.writes)
            self._failed = False
        except (OSError, SafetensorError) as error:
            why = (error.strerror or "") if isinstance(error, OSError) else str(error)
            told = "" if self._failed else f"Its state cannot be written ({why[:200]}); it goes on without."
            self._failed = True
        ended = time.monotonic()
        took = ended - began
        self._due = ended + max(self.every_s, WRITING * took if took > LONG_S else 0.0)
        return told
