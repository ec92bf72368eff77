"""What a step's logits do to the replies they belong to."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from workers.engine.generation.group import Beams, Candidates, Progress
from workers.engine.generation.request import Choice, Generation
from workers.engine.generation.sampling import choose
from workers.engine.protocol import EngineError


def settle(logits: Tensor, generations: Sequence[Generation]) -> Progress:
    """Give each generation its row of logits float32 [B, vocabulary]: choose tokens, put out the last
    text of those that end, and say what the scheduler must know."""
    progress = Progress()
    rows: list[int] = []
    takers: list[Generation] = []
    for row, generation in enumerate(generations):
        group = generation.group
        if isinstance(group, Beams):
            group.receive(generation, logits[row], progress)
        elif isinstance(group, Candidates):
            for taker in group.takers(generation):
                rows.append(row)
                takers.append(taker)
    if rows:
        own = logits if rows == list(range(len(logits))) else logits[rows]
        _accept(own, takers, set(generations), progress)
    return progress


def _accept(logits: Tensor, takers: list[Generation], running: set[Generation], progress: Progress) -> None:
    progress.tokens += len(takers)
    for taker, choice in zip(takers, choose(logits, takers), strict=True):
        ended = _ends(taker, choice)
        if not ended:
            progress.grown.append(taker)
            if taker not in running:
                progress.forks.append((taker.group.first, taker))
        elif taker in running:
            progress.finished.append(taker)


def _ends(taker: Generation, choice: Choice) -> bool:
    """Whether the reply ends with this token; its own error ends it, and no other."""
    try:
        return taker.accept(choice) is not None
    except EngineError as error:
        taker.fail(error)
        return True
