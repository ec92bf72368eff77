"""What is trained on and what is measured on: streams split by time, and the generated worlds of the shipped bundle."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle

import numpy as np

from models_zoo.fraud.causal.view import DAY, DELAY
from models_zoo.fraud.streams import Stream
from models_zoo.fraud.worlds import WARM_UP

LEAST = 20
"""Frauds that training, validation and test need each."""


class TooLittle(ValueError):
    """The stream is too short, or has too few frauds, to train and to measure on."""


@dataclass(slots=True, frozen=True)
class Parts:
    """Streams of the parts, in order of time, the label delay between each two."""

    train: Stream
    validation: Stream
    test: Stream


def split(whole: Stream, delay: float = DELAY, warm_up: float = WARM_UP) -> Parts:
    """60, 20 and 20 % of the days after the warm-up; between them `delay` seconds, within which labels were not known.

    Raises TooLittle.
    """
    first, gap = float(whole.day.min()) + warm_up, delay / DAY
    length = float(whole.day.max()) - first - 2 * gap
    if length <= 0:
        raise TooLittle(f"the stream must be longer than {warm_up + 2 * gap:.0f} days")
    trained, validated = first + 0.6 * length, first + 0.8 * length + gap
    parts = Parts(
        whole.between(first, trained),
        whole.between(trained + gap, validated),
        whole.between(validated + gap, np.inf),
    )
    for name, part in (("training", parts.train), ("validation", parts.validation), ("test", parts.test)):
        if part.labels.sum() < LEAST:
            raise TooLittle(
                f"{int(part.labels.sum())} frauds in the {name} days, at least {LEAST} are needed"
            )
    return parts


LACKING: tuple[tuple[str, ...], ...] = ((), ("device",), ("merchant",), ("device", "merchant"))


@dataclass(slots=True, frozen=True)
class Worlds:
    """Seeds of generated worlds that the shipped bundle is trained on, and others that it is only measured on.

    Some banks send no device or no merchant: a model that never saw such payments takes the lack itself for a sign.
    So `bare` says how many worlds in turn are whole, without devices, without merchants, and without either; then it
    begins anew. The test days of the first `tested` worlds are measured on: those of all would only take longer.
    A world's first week has few frauds, so those of all `cold` worlds are measured together.
    """

    seeds: tuple[int, ...] = tuple(range(11, 71))
    unseen: tuple[int, ...] = (101, 102)
    cold: tuple[int, ...] = tuple(range(101, 109))
    bare: tuple[int, ...] = (6, 3, 2, 1)
    tested: int = 12
    customers: int = 1000
    days: int = 90

    @property
    def lacking(self) -> list[int]:
        """The place in `LACKING` of each of the worlds that are trained on."""
        turn = [lack for lack, count in enumerate(self.bare) for _ in range(count)]
        return [lack for _, lack in zip(self.seeds, cycle(turn), strict=False)]


SMALL = Worlds(seeds=(11, 12), unseen=(101,), cold=(101,), bare=(1, 1, 0, 0), customers=400, days=70)
"""Enough to see that everything runs."""
