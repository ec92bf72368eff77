"""The bounds that a scheduler keeps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Limits:
    """Bounds of the engine; `ValueError` for one without sense.

    `sequences` run at once; `step_tokens` and `step_texts` are read in one step, of prompts
    at most `chunk_tokens` beside sequences that decode, whose next tokens they hold up; `waiting` may wait.
    While sequences decode, a lonely prompt waits up to `admission_steps` steps for others to be read with. A
    queue that was passed over for `ageing_s` seconds rises by one class of priority.
    """

    sequences: int = 16
    step_tokens: int = 1024
    chunk_tokens: int = 1024
    step_texts: int = 64
    waiting: int = 512
    admission_steps: int = 3
    ageing_s: float = 5.0

    def __post_init__(self) -> None:
        for name in ("sequences", "step_tokens", "chunk_tokens", "step_texts", "waiting"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.admission_steps < 0 or self.ageing_s <= 0:
            raise ValueError("admission_steps must not be negative, and ageing_s must be positive")

    @property
    def together(self) -> int:
        """Prompts worth a reading of their own while others decode: an eighth of the sequences."""
        return max(1, self.sequences // 8)
