"""The training loop: a generator of events, so that its caller decides what to show, record and interrupt."""

from __future__ import annotations

import datetime
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from models_zoo.llm.card import (
    AdapterCard,
    BaseCard,
    ModelError,
    adapter_digest,
    file_sha256,
)
from models_zoo.llm.decoder import Decoder, load_decoder
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.llm.training.checkpoint import (
    Identity,
    State,
    identity_of,
    load_state,
    moments_of,
    random_state,
    restore_optimizer,
    save_state,
    set_random_state,
)
from models_zoo.llm.training.checks import check_spec
from models_zoo.llm.training.data import Example, batches, encode_examples, labels_in, read_rows
from models_zoo.llm.training.pause import NEVER, Pause
from models_zoo.llm.training.roles import Task, Trainee
from models_zoo.llm.training.save import save_adapter
from models_zoo.llm.training.spec import TrainEvent, TrainSpec, spec_record
from models_zoo.llm.training.tasks import Student, build_task

LOWEST_RATE = 0.02  # of the learning rate, where the cosine ends


@dataclass(slots=True)
class DataSets:
    """Encoded examples; evaluation and test may be absent."""

    train: list[Example]
    evaluation: list[Example] | None
    test: list[Example] | None


def run(
    spec: TrainSpec, pause: Pause = NEVER, load: Callable[[Path, str], Decoder] = load_decoder
) -> Iterator[TrainEvent]:
    """See `models_zoo.llm.training.train_lora`."""
    check_spec(spec)
    started = time.perf_counter()
    if spec.threads is not None:
        torch.set_num_threads(spec.threads)
    torch.manual_seed(spec.seed)
    tokenizer = ChatTokenizer(spec.base)
    labels, data = _read_data(spec, tokenizer)
    decoder = load(spec.base, spec.device)
    card = _start_card(spec, decoder.card, labels)
    student = Student(decoder, spec, card)
    student.hold(pause)
    task = build_task(student, spec)
    trainer = Trainer(spec, student, task, data)
    trainer.began = started
    if spec.checkpoint is not None:
        trainer.keep(spec.checkpoint, identity_of(spec, decoder.card))
    yield from trainer.events()
    metrics = trainer.final_metrics()
    card = replace(
        card,
        thresholds=task.thresholds,
        metrics=metrics,
        data=_data_record(spec, data),
        training=spec_record(spec),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    save_adapter(spec, decoder.card, card, student.lora, student.head)
    yield TrainEvent(
        kind="done",
        step=trainer.step,
        steps=trainer.steps,
        epoch=trainer.epoch,
        metrics=metrics,
        folder=spec.target,
        digest=adapter_digest(spec.target),
        seconds=trainer.seconds,
    )


class Trainer:
    """AdamW with warm-up and cosine decay over bucketed batches; keeps the best state seen.

    began: by `time.perf_counter`, when the run would have begun had it never been cut off.
    """

    def __init__(self, spec: TrainSpec, student: Trainee, task: Task, data: DataSets) -> None:
        self.began = time.perf_counter()
        self.spec, self.student, self.task, self.data = spec, student, task, data
        self.per_epoch = math.ceil(math.ceil(len(data.train) / spec.batch_size) / spec.accumulation)
        planned = max(1, round(spec.epochs * self.per_epoch))
        self.steps = planned if spec.max_steps is None else min(planned, spec.max_steps)
        self.step = 0
        self._optimizer = torch.optim.AdamW(student.groups(spec), weight_decay=spec.weight_decay, fused=True)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, self._rate)
        self._best: float | None = None
        self._best_metrics: dict[str, float] = {}
        self._best_state: list[Tensor] = []
        self._best_thresholds: dict[str, float] = {}
        self._checkpoint: tuple[Path, Identity] | None = None

    def keep(self, path: Path, identity: Identity) -> None:
        """Write the run's state to `path` now and then; go on from it when it is there. Raises `ModelError`."""
        self._checkpoint = path, identity
        state = load_state(path, identity)
        if state is not None:
            self._go_on(state)

    def save(self) -> None:
        """Write the run's state, if it is to be kept."""
        if self._checkpoint is not None:
            save_state(*self._checkpoint, self._state())

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
        written = time.monotonic()
        for micro_batches in islice(self._step_batches(), self.step, self.steps):
            yield self._train(micro_batches)
            if self._evaluation_is_due():
                yield self._evaluate()
            if time.monotonic() - written >= self.spec.checkpoint_s:
                self.save()
                written = time.monotonic()

    def final_metrics(self) -> dict[str, float]:
        """Go back to the best state; its metrics, and the test set's under names beginning with `test_`."""
        if self._best is not None:
            self._restore()
        metrics = {key: value for key, value in self._best_metrics.items() if key != "score"}
        if self.data.test is not None:
            tested = self._measure(self.data.test, choose=False)
            metrics |= {f"test_{key}": value for key, value in tested.items() if key != "score"}
        return metrics

    def _step_batches(self) -> Iterator[list[list[Example]]]:
        """The micro-batches of one step after another, without end."""
        shuffle = random.Random(self.spec.seed)
        while True:
            group: list[list[Example]] = []
            indices = list(batches(self.data.train, self.spec.batch_size, shuffle))
            for number, batch in enumerate(indices, start=1):
                group.append([self.data.train[index] for index in batch])
                if len(group) == self.spec.accumulation or number == len(indices):
                    yield group
                    group = []

    def _train(self, micro_batches: list[list[Example]]) -> TrainEvent:
        started = time.perf_counter()
        rate = self._optimizer.param_groups[0]["lr"]
        losses: list[Tensor] = []
        for batch in micro_batches:
            loss = self.task.loss(batch) / len(micro_batches)
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        self._update()
        total = float(
            torch.stack(losses).sum()
        )  # waits for the device: not before all its work is given to it
        tokens = sum(len(example.ids) for batch in micro_batches for example in batch)
        return TrainEvent(
            kind="step",
            step=self.step,
            steps=self.steps,
            epoch=self.epoch,
            loss=total,
            learning_rate=rate,
            tokens_per_second=tokens / (time.perf_counter() - started),
        )

    def _update(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), self.spec.clip)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._schedule.step()
        self.step += 1

    def _evaluation_is_due(self) -> bool:
        every = self.spec.evaluate_every or self.per_epoch
        return self.data.evaluation is not None and (self.step % every == 0 or self.step == self.steps)

    def _evaluate(self) -> TrainEvent:
        metrics = self._measure(self.data.evaluation or [], choose=True)
        best = self._best is None or metrics["score"] >= self._best  # of equals the longest trained
        if best:
            self._best, self._best_metrics = metrics["score"], metrics
            self._best_state = [parameter.detach().clone() for parameter in self.student.parameters()]
            self._best_thresholds = dict(self.task.thresholds)
        return TrainEvent("evaluation", self.step, self.steps, self.epoch, metrics=metrics, best=best)

    def _measure(self, examples: Sequence[Example], choose: bool) -> dict[str, float]:
        self.student.train(False)
        with torch.no_grad():
            metrics = self.task.evaluate(examples, choose)
        self.student.train(True)
        return metrics

    def _restore(self) -> None:
        _copy(self._best_state, self.student.parameters())
        self.task.thresholds = self._best_thresholds

    def _state(self) -> State:
        parameters = self.student.parameters()
        return State(
            step=self.step,
            parameters=list(parameters),
            moments=moments_of(self._optimizer, parameters),
            random=random_state(self.student.device),
            best=self._best_state,
            best_score=self._best,
            best_metrics=self._best_metrics,
            thresholds=self._best_thresholds,
            seconds=self.seconds,
        )

    def _go_on(self, state: State) -> None:
        self.step = state.step
        self.began -= state.seconds
        _copy(state.parameters, self.student.parameters())
        restore_optimizer(self._optimizer, self.student.parameters(), state)
        self._schedule.last_epoch = state.step
        for group, rate in zip(self._optimizer.param_groups, self._schedule.base_lrs, strict=True):
            group["lr"] = rate * self._rate(state.step)
        set_random_state(self.student.device, state.random)
        self._best, self._best_metrics = state.best_score, state.best_metrics
        self._best_state = [tensor.to(self.student.device) for tensor in state.best]
        self._best_thresholds = state.thresholds

    def _rate(self, step: int) -> float:
        warm = min(1.0, (step + 1) / max(1.0, self.spec.warmup * self.steps))
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.steps)))
        return warm * max(LOWEST_RATE, cosine)


def _copy(source: Sequence[Tensor], target: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for old, new in zip(target, source, strict=True):
            old.copy_(new)


def _read_data(spec: TrainSpec, tokenizer: ChatTokenizer) -> tuple[tuple[str, ...], DataSets]:
    rows = read_rows(spec.train)
    labels = labels_in(spec, rows)
    if spec.task != "chat" and not labels:
        raise ModelError(f"{spec.train}: no labels, and none given in the spec")
    train = encode_examples(spec.train, rows, spec, labels, tokenizer)
    evaluation, test = (
        None if path is None else encode_examples(path, read_rows(path), spec, labels, tokenizer)
        for path in (spec.evaluation, spec.test)
    )
    return labels, DataSets(train, evaluation, test)


def _start_card(spec: TrainSpec, base: BaseCard, labels: tuple[str, ...]) -> AdapterCard:
    return AdapterCard(
        name=spec.name,
        task=spec.task,
        base_fingerprint=base.fingerprint,
        labels=labels,
        multi_label=spec.multi_label,
        bidirectional=spec.task != "chat" if spec.bidirectional is None else spec.bidirectional,
        max_tokens=spec.max_tokens,
        overlap_tokens=spec.overlap_tokens,
        licence=spec.licence,
        description=spec.description,
    )


def _data_record(spec: TrainSpec, data: DataSets) -> dict[str, object]:
    """What the adapter was made from: a hash and a count of each file, and the spec's own note."""
    record: dict[str, object] = dict(spec.data_note)
    for name, path in (("train", spec.train), ("evaluation", spec.evaluation), ("test", spec.test)):
        examples: list[Example] | None = getattr(data, name)
        if path is not None and examples is not None:
            record[name] = {"sha256": file_sha256(path), "examples": len(examples)}
    return record
