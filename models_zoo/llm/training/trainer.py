"""The steps of a run: AdamW (Loshchilov and Hutter, 2019), evaluations, the best state, and going on after a kill."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from models_zoo.llm.card import ModelError
from models_zoo.llm.training.checkpoint import (
    Identity,
    State,
    moments_of,
    random_state,
    restore_optimizer,
    set_random_state,
)
from models_zoo.llm.training.data import Example
from models_zoo.llm.training.inputs import DataSets
from models_zoo.llm.training.memory import memory_used
from models_zoo.llm.training.order import Step, steps_in_epoch, steps_of
from models_zoo.llm.training.ranks import ALONE, Losses, Ranks, as_laid, whole
from models_zoo.llm.training.roles import Task, Trainee
from models_zoo.llm.training.sampling import Sampler
from models_zoo.llm.training.scaling import LossScale, refuse_endless
from models_zoo.llm.training.schedules import rate_at
from models_zoo.llm.training.spec import TrainEvent, TrainSpec
from models_zoo.llm.training.writing import Writing


class Trainer:
    """Trains to the end and keeps the best state seen.

    head_steps: of the first stage, which leaves the adapter as it is. began: by `time.perf_counter`, when the run would
    have begun had it never been cut off. Raises `ModelError` when no step is left for the adapter.
    """

    def __init__(
        self,
        spec: TrainSpec,
        student: Trainee,
        task: Task,
        data: DataSets,
        sampler: Sampler | None = None,
        ranks: Ranks = ALONE,
        losses: Losses | None = None,
    ) -> None:
        self.began = time.perf_counter()
        self.spec, self.student, self.task, self.data = spec, student, task, data
        self._sampler, self.ranks = sampler, ranks
        self._losses = losses or ranks.losses(task)
        self.per_epoch = steps_in_epoch(spec, data)
        two = spec.method == "two_stage"
        self.head_steps = max(1, round(spec.head_epochs * self.per_epoch)) if two else 0
        planned = self.head_steps + max(1, round(spec.epochs * self.per_epoch))
        self.steps = planned if spec.max_steps is None else min(planned, spec.max_steps)
        if self.steps <= self.head_steps:
            raise ModelError(
                f"spec: max_steps is {self.steps}, expected more than the {self.head_steps} of the head's stage"
            )
        self.step = 0
        self.stopped_early = False
        self._optimizer = torch.optim.AdamW(student.groups(spec), weight_decay=spec.weight_decay, fused=True)
        self._full_rates = [group["lr"] for group in self._optimizer.param_groups]
        self._best: float | None = None
        self._best_metrics: dict[str, float] = {}
        self._best_state: list[Tensor] = []
        self._best_thresholds: dict[str, float] = {}
        self._waited = 0
        self._scale = LossScale.of(spec.compute)
        self._writing: Writing | None = None
        self._attempt = self.began, 0  # when this one began, and behind which step

    def keep(self, path: Path, identity: Identity) -> None:
        """Write the run's state to `path` now and then; go on from it when it is there. Raises `ModelError`."""
        self._writing = Writing(path, identity, self.spec.checkpoint_s, self.ranks.writes)
        state = self._writing.read()
        if state is not None:
            self._go_on(state)

    def save(self) -> TrainEvent | None:
        """Write the run's state, if it is to be kept; what is to be told of that."""
        told = self._writing.write(self._state()) if self._writing else ""
        return TrainEvent("log", self.step, self.steps, text=told) if told else None

    @property
    def epoch(self) -> float:
        return self.step / self.per_epoch

    @property
    def seconds(self) -> float:
        """That the run took so far; of attempts that were cut off, as much as led to their checkpoint."""
        return time.perf_counter() - self.began

    def events(self) -> Iterator[TrainEvent]:
        """Train to the end, yielding every step and evaluation."""
        self.student.train(True)
        if self.step:
            yield TrainEvent("resumed", self.step, self.steps, self.epoch)
        self._attempt = time.perf_counter(), self.step
        for step in islice(steps_of(self.spec, self.data, self.steps), self.step, self.steps):
            yield self._train(step)
            if self._is_mark():
                if self.data.evaluation:
                    yield self._evaluate()
                yield from self._samples()
                if self.spec.patience is not None and self._waited >= self.spec.patience:
                    self.stopped_early = self.step < self.steps
                    return
            if self._writing and self.ranks.agreed(self._writing.is_due) and (problem := self.save()):
                yield problem

    def final_metrics(self) -> dict[str, float]:
        """Go back to the best state; its metrics, and the test set's under names beginning with `test_`."""
        if self._best is not None:
            self._restore()
        metrics = {key: value for key, value in self._best_metrics.items() if key != "score"}
        if self.data.test:
            tested = self._measure(self.data.test, choose=False)
            metrics |= {f"test_{key}": value for key, value in tested.items() if key != "score"}
        return metrics

    def _train(self, step: Step) -> TrainEvent:
        started = time.perf_counter()
        rate = self._begin_step()
        losses: list[Tensor] = []
        for number, batch in enumerate(step, start=1):
            loss = self._losses(batch, number == len(step)) / len(step)
            (loss * self._scale.value).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        norm = self._learn()
        self.step += 1
        # waits for the device: not before all its work is given to it
        total = self.ranks.mean(torch.stack(losses).sum())
        refuse_endless(total, "the loss", self.step)
        if not self._scale.dynamic:
            refuse_endless(float(whole(norm)), "the gradient", self.step)
        tokens = sum(example.tokens for batch in step for example in batch)
        return TrainEvent(
            kind="step",
            step=self.step,
            steps=self.steps,
            epoch=self.epoch,
            loss=total,
            learning_rate=rate,
            tokens_per_second=tokens / (time.perf_counter() - started),
            memory_bytes=memory_used(self.student.device),
            eta_s=self._eta(),
        )

    def _learn(self) -> Tensor:
        """Take the step that the gradients ask for, clipped; their norm, scaled as they were."""
        parameters, scaled = self.student.parameters(), self._scale.value
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.spec.clip * scaled)
        if self._scale.allows(norm, self.step + 1):
            self._scale.take_back(parameters, scaled)
            self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return norm

    def _begin_step(self) -> float:
        """Set the learning rates, and what learns; the rate of what learns first."""
        first = self.step < self.head_steps
        start, steps = (0, self.head_steps) if first else (self.head_steps, self.steps - self.head_steps)
        factor = rate_at(self.spec, self.step - start, steps)
        groups = self._optimizer.param_groups
        for group, full in zip(groups, self._full_rates, strict=True):
            group["lr"] = full * factor
        if self.head_steps:
            for parameter in groups[0]["params"]:
                parameter.requires_grad_(not first)
        return float(groups[-1 if first else 0]["lr"])

    def _eta(self) -> float:
        """Seconds to the last step, as this attempt's steps and evaluations went so far."""
        began, first = self._attempt
        return (time.perf_counter() - began) / (self.step - first) * (self.steps - self.step)

    def _is_mark(self) -> bool:
        """After this step the state is looked at."""
        return self.step % (self.spec.evaluate_every or self.per_epoch) == 0 or self.step == self.steps

    def _evaluate(self) -> TrainEvent:
        metrics = self._measure(self.data.evaluation, choose=True)
        score, before = metrics["score"], self._best
        whole = self.step > self.head_steps  # until then there is nothing of the adapter to keep
        best = whole and (before is None or score >= before)  # of equals the longest trained
        if whole:
            self._waited = 0 if before is None or score > before else self._waited + 1
        if best:
            self._best, self._best_metrics = score, metrics
            self._best_state = [parameter.detach().clone() for parameter in self.student.parameters()]
            self._best_thresholds = dict(self.task.thresholds)
        return TrainEvent("evaluation", self.step, self.steps, self.epoch, metrics=metrics, best=best)

    def _samples(self) -> Iterator[TrainEvent]:
        for number, text in enumerate(self._sampler.answers() if self._sampler else [], start=1):
            yield TrainEvent("sample", self.step, self.steps, self.epoch, prompt=number, text=text)

    def _measure(self, examples: Sequence[Example], choose: bool) -> dict[str, float]:
        self.student.train(False)
        with torch.no_grad():
            metrics: dict[str, float] = self.ranks.agreed(self.task.evaluate(examples, choose))
        self.student.train(True)
        refuse_endless(metrics["score"], "the evaluation", self.step)
        return metrics

    def _restore(self) -> None:
        _copy(self._best_state, self.student.parameters())
        self.task.thresholds = self._best_thresholds

    def _state(self) -> State:
        parameters = self.student.parameters()
        moments, updates = moments_of(self._optimizer, parameters)
        return State(
            step=self.step,
            parameters=list(parameters),
            moments=moments,
            updates=updates,
            random=self.ranks.randoms(random_state(self.student.device)),
            best=self._best_state,
            best_score=self._best,
            best_metrics=self._best_metrics,
            thresholds=self._best_thresholds,
            waited=self._waited,
            scale=(self._scale.value, self._scale.good),
            seconds=self.seconds,
        )

    def _go_on(self, state: State) -> None:
        self.step = state.step
        self.began -= state.seconds
        _copy(state.parameters, self.student.parameters())
        restore_optimizer(self._optimizer, self.student.parameters(), state)
        set_random_state(self.student.device, self.ranks.random(state.random))
        self._best, self._best_metrics = state.best_score, state.best_metrics
        self._best_state = [
            as_laid(tensor, like) for tensor, like in zip(state.best, self.student.parameters(), strict=False)
        ]
        self._best_thresholds, self._waited = state.thresholds, state.waited
        self._scale.value, self._scale.good = state.scale


def _copy(source: Sequence[Tensor], target: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for old, new in zip(target, source, strict=True):
            old.copy_(as_laid(new, old))
