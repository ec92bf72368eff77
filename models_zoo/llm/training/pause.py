"""How a run is held up while others need the device."""

from __future__ import annotations

from typing import Protocol

# multiplications of a short piece of work: about .8 ms of an H200, whose decode step takes five
PIECE = 1 << 38
LEAST_ROWS = 256  # of one: fewer would not pay for dequantizing the weight


class Pause(Protocol):
    """Called between two pieces of work, it returns when there may be more."""

    def begin(self) -> bool:
        """A pass begins; whether others need the device, so that its pieces should be short. What was worked until
        now is not made up for."""
        ...

    def __call__(self) -> None: ...


class Never:
    """Nobody else needs the device."""

    def begin(self) -> bool:
        return False

    def __call__(self) -> None: ...


NEVER = Never()


def rows_of_a_piece(rows: int, columns: int) -> int:
    """How many rows of activations a short piece of work multiplies with a matrix [rows, columns]."""
    return max(LEAST_ROWS, PIECE // (rows * columns))
