"""Stages of one run, one after the other: a killed run goes on in the stage, and behind the step, where it was."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models_zoo.llm.training.checkpoint import Identity
from models_zoo.llm.training.spec import TrainEvent
from models_zoo.llm.training.trainer import Trainer


@dataclass(slots=True, frozen=True)
class Stage:
    """One loss, with steps, schedule and moments of its own. kept: the file and identity of its checkpoint."""

    name: str
    begin: Callable[[], Trainer]
    kept: tuple[Path, Identity] | None


def stage_events(stages: Sequence[Stage], began: float) -> Generator[TrainEvent, None, TrainEvent]:
    """Run all; the steps of their events are counted through. Returns the end: the last stage's metrics, seconds.

    A stage's checkpoint is there from its beginning, and the one before it then no longer needed. began: see `Trainer`.
    """
    lengths = [stage.begin().steps for stage in stages]
    first = next((n for n in reversed(range(len(stages))) if _is_kept(stages[n])), 0)
    metrics: dict[str, float] = {}
    for number, stage in enumerate(stages[first:], start=first):
        trainer = stage.begin()
        trainer.began = began
        if stage.kept is not None:
            trainer.keep(*stage.kept)
            problem = trainer.save() if trainer.step == 0 else None
            if problem:
                yield problem
            elif trainer.ranks.writes:
                _forget(stages[:number])
        if len(stages) > 1 and trainer.step == 0:
            text = f"Stage {number + 1} of {len(stages)} begins: {stage.name}."
            yield TrainEvent("log", sum(lengths[:number]), sum(lengths), text=text)
        for event in trainer.events():
            yield replace(
                event,
                step=event.step + sum(lengths[:number]),
                steps=sum(lengths),
                best=event.best and stage is stages[-1],
            )
        metrics, began = trainer.final_metrics(), trainer.began
    return TrainEvent(
        "done",
        sum(lengths[:-1]) + trainer.step,
        sum(lengths),
        trainer.epoch,
        metrics=metrics,
        seconds=trainer.seconds,
        stopped_early=trainer.stopped_early,
    )


def _is_kept(stage: Stage) -> bool:
    return stage.kept is not None and stage.kept[0].exists()


def _forget(stages: Sequence[Stage]) -> None:
    for stage in stages:
        if stage.kept is not None:
            stage.kept[0].unlink(missing_ok=True)
