"""Which examples each step learns from: the same for the same seed, however often a run is cut off."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

from models_zoo.llm.training.data import Example, batches
from models_zoo.llm.training.inputs import DataSets
from models_zoo.llm.training.spec import TrainSpec

Step = list[list[Example]]  # its micro-batches
LEAST = 1e-9  # below which a share owes nothing: sums of fractions are not exact


def steps_in_epoch(spec: TrainSpec, data: DataSets) -> int:
    """Steps that take as many new examples as there are."""
    new = spec.batch_size * (1.0 - spec.replay_share if data.replay else 1.0)
    return math.ceil(math.ceil((len(data.train) + len(data.mix)) / new) / spec.accumulation)


def steps_of(spec: TrainSpec, data: DataSets, steps: int) -> Iterator[Step]:
    """The micro-batches of one step after another, without end; `steps` is how many the schedule is made for."""
    return _blended(spec, data, steps) if data.mix or data.replay else _plain(spec, data.train)


def _plain(spec: TrainSpec, examples: Sequence[Example]) -> Iterator[Step]:
    shuffle = random.Random(spec.seed)
    while True:
        group: Step = []
        indices = list(batches(examples, spec.batch_size, shuffle))
        for number, batch in enumerate(indices, start=1):
            group.append([examples[index] for index in batch])
            if len(group) == spec.accumulation or number == len(indices):
                yield group
                group = []


def _blended(spec: TrainSpec, data: DataSets, steps: int) -> Iterator[Step]:
    train, mix, replay = (
        _Endless(examples, random.Random(f"{spec.seed} {name}"))
        for name, examples in (("train", data.train), ("mix", data.mix), ("replay", data.replay))
    )
    mixed, replayed = _Share(), _Share()
    step = 0
    while True:
        group: Step = []
        for _ in range(spec.accumulation):
            old = replayed.of(spec.batch_size, spec.replay_share if data.replay else 0.0)
            new = spec.batch_size - old
            other = mixed.of(new, mix_share(spec, step, steps) if data.mix else 0.0)
            group.append([*train.take(new - other), *mix.take(other), *replay.take(old)])
        yield group
        step += 1


def mix_share(spec: TrainSpec, step: int, steps: int) -> float:
    """Of the second data set among a step's new examples: from the schedule's first share to its last, evenly
    (curriculum learning: Bengio et al., 2009)."""
    first, last = spec.mix_schedule
    return first + (last - first) * min(1.0, step / max(1, steps - 1))


class _Share:
    """Whole numbers whose sum keeps to a share of what was asked of it."""

    def __init__(self) -> None:
        self._owed = 0.0

    def of(self, count: int, share: float) -> int:
        self._owed += count * share
        given = min(count, int(self._owed + LEAST))
        self._owed -= given
        return given


class _Endless:
    """Examples in random order, all of them before any comes again."""

    def __init__(self, examples: Sequence[Example], shuffle: random.Random) -> None:
        self._examples, self._shuffle = examples, shuffle
        self._left: list[Example] = []

    def take(self, count: int) -> list[Example]:
        taken: list[Example] = []
        while len(taken) < count:
            if not self._left:
                self._left = list(self._examples)
                self._shuffle.shuffle(self._left)
            taken.append(self._left.pop())
        return taken
