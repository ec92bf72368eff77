"""One run from its spec to the adapter's folder: a generator of events, so that its caller decides what to show,
record and interrupt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

from models_zoo.llm.card import adapter_digest, read_card
from models_zoo.llm.decoder import Decoder, load_decoder
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.llm.training.checkpoint import identity_of
from models_zoo.llm.training.checks import check_spec
from models_zoo.llm.training.inputs import data_record, read_data, start_card
from models_zoo.llm.training.pause import NEVER, Pause
from models_zoo.llm.training.preference import PreferenceTask
from models_zoo.llm.training.ranks import joined
from models_zoo.llm.training.sampling import Sampler
from models_zoo.llm.training.save import save_adapter
from models_zoo.llm.training.spec import TrainEvent, TrainSpec, spec_record
from models_zoo.llm.training.starting import check_card, parent_of, take_over
from models_zoo.llm.training.student import Student
from models_zoo.llm.training.tasks import build_task
from models_zoo.llm.training.trainer import Trainer


def run(
    spec: TrainSpec, pause: Pause = NEVER, load: Callable[[Path, str], Decoder] = load_decoder
) -> Iterator[TrainEvent]:
    """See `models_zoo.llm.training.train_lora`."""
    check_spec(spec)
    started = time.perf_counter()
    if spec.threads is not None:
        torch.set_num_threads(spec.threads)
    ranks = joined(spec.processes, spec.device)
    torch.manual_seed(spec.seed)
    parent = parent_of(spec, read_card(spec.base))
    tokenizer = ChatTokenizer(spec.base)
    labels, data = read_data(spec, tokenizer, () if parent is None else parent.plan.card.labels)
    decoder = load(spec.base, ranks.device(spec.device))
    card = start_card(spec, decoder.card, labels)
    student = Student(decoder, spec, card)
    if parent is not None:
        check_card(parent, card)
        take_over(parent, student.lora, student.head)
    student.hold(pause)
    task = build_task(student, spec)
    sampler = Sampler(student, tokenizer, spec.sample_prompts)
    if isinstance(task, PreferenceTask):
        task.begin(data.all)
    losses = ranks.replicas(task, student.parameters(), some_idle=spec.method == "two_stage")
    torch.manual_seed(spec.seed + ranks.number)  # each drops out other weights
    trainer = Trainer(spec, student, task, data, sampler, ranks, losses)
    trainer.began = started
    if spec.checkpoint is not None:
        trainer.keep(spec.checkpoint, identity_of(spec, decoder.card))
    yield from trainer.events()
    metrics = trainer.final_metrics()
    ranks.leave()
    if not ranks.writes:
        return
    record = spec_record(spec) | ({} if parent is None else {"start_from": parent.reference})
    card = replace(
        card, thresholds=task.thresholds, metrics=metrics, data=data_record(spec, data), training=record
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
        stopped_early=trainer.stopped_early,
    )
