"""One run from the old base to the new: load, train, write unquantized, quantize, measure all three."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch

from models_zoo.llm.card import BaseCard, read_card
from models_zoo.llm.convert import Origins, convert
from models_zoo.llm.devices import device_of
from models_zoo.llm.format import BaseFile
from models_zoo.llm.quant import Q4Matrix
from models_zoo.llm.quantize import Origin
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.llm.training.bases.distil import AttentionTask, FeatureTask, LogitTask
from models_zoo.llm.training.bases.figures import side_by_side
from models_zoo.llm.training.bases.memory import check_memory, need_of
from models_zoo.llm.training.bases.model import (
    OWN_HEAD,
    model_of,
    original_weights,
    save_unquantized,
    student_of,
)
from models_zoo.llm.training.bases.reader import Reader
from models_zoo.llm.training.bases.spec import BaseSpec, check_base_spec, layers_of_student, taken_layers
from models_zoo.llm.training.bases.stages import Stage, stage_events
from models_zoo.llm.training.bases.whole import AnswerTask, WholeModel
from models_zoo.llm.training.checkpoint import identity_of
from models_zoo.llm.training.checks import check_spec
from models_zoo.llm.training.inputs import DataSets, read_data
from models_zoo.llm.training.pause import Pause
from models_zoo.llm.training.ranks import Ranks, joined
from models_zoo.llm.training.sampling import Sampler
from models_zoo.llm.training.spec import TrainEvent
from models_zoo.llm.training.trainer import Trainer


@dataclass(slots=True, frozen=True)
class Learning:
    """What learns, in which stages."""

    student: WholeModel
    stages: list[Stage]


def run(spec: BaseSpec, pause: Pause) -> Iterator[TrainEvent]:
    """See `models_zoo.llm.training.bases.train_base`."""
    started = time.perf_counter()
    card = read_card(spec.base)
    check_spec(spec)
    check_base_spec(spec, card)
    device_of(spec.device)
    if spec.threads is not None:
        torch.set_num_threads(spec.threads)
    ranks = joined(spec.processes, spec.device)
    torch.manual_seed(spec.seed)
    tokenizer = ChatTokenizer(spec.base)
    _, data = read_data(spec, tokenizer)
    learning = _learning(spec, card, data, tokenizer, pause, ranks)
    ended = yield from stage_events(learning.stages, started)
    shape, weights = learning.student.shape, learning.student.weights(ranks.writes)
    del learning  # room for what is measured
    ranks.leave()
    if not ranks.writes:
        return
    dtype = torch.float16 if spec.precision == "float16" else torch.float32
    save_unquantized(model_of(shape, weights), spec.base, card, spec.unquantized, dtype)
    del weights
    new = convert(spec.unquantized, spec.target, spec.form, origins=_origins(spec, card))
    metrics = side_by_side(spec.base, spec.target, spec.device, ended.metrics["loss"], data.evaluation)
    yield replace(ended, metrics=metrics, folder=spec.target, digest=new.fingerprint)


def _origins(spec: BaseSpec, card: BaseCard) -> Origins | None:
    """The 4-bit matrices of the old base that the new one's began as; None where it began from floats."""
    if spec.source is not None:
        return None
    file = BaseFile(spec.base, card)
    taken = taken_layers(card.config.layers, layers_of_student(spec, card))

    def origin(name: str) -> Origin | None:
        _, layer, part = name.split(".", 2)
        grid = file.matrix(f"layers.{taken[int(layer)]}.{part}")
        seed = zlib.crc32(f"{spec.seed} {name}".encode())
        return Origin(grid, seed) if isinstance(grid, Q4Matrix) else None

    return origin


def _learning(
    spec: BaseSpec, card: BaseCard, data: DataSets, tokenizer: ChatTokenizer, pause: Pause, ranks: Ranks
) -> Learning:
    weights = original_weights(spec.base, spec.source)
    need = need_of(spec, card, tied=OWN_HEAD not in weights, ranks=ranks.count)
    check_memory(spec, card, need)
    device, dtype = torch.device(ranks.device(spec.device)), getattr(torch, spec.compute)
    if spec.recipe == "full":
        reader = Reader(model_of(card.config, weights), device, dtype, again=need.again, pause=pause)
        student = WholeModel(reader, card.config, card.end_token, ranks)
        sampler = Sampler(student, tokenizer, spec.sample_prompts)
        return Learning(student, [_stage(spec, card, "full", AnswerTask(student, spec), data, sampler)])
    taken = taken_layers(card.config.layers, layers_of_student(spec, card))
    config, own = student_of(card.config, weights, taken)
    teacher = Reader(model_of(card.config, weights), device, dtype, pause=pause)
    teacher.requires_grad_(False).eval()
    reader = Reader(model_of(config, own), device, dtype, again=need.again, pause=pause)
    student = WholeModel(reader, config, card.end_token, ranks)
    sampler = Sampler(student, tokenizer, spec.sample_prompts)
    tasks: list[tuple[str, float, AnswerTask | FeatureTask]] = [
        ("features", spec.feature_epochs, FeatureTask(student, spec, teacher, taken)),
        ("attention", spec.attention_epochs, AttentionTask(student, spec, teacher, taken)),
        ("logits", spec.epochs, LogitTask(student, spec, teacher)),
    ]
    stages = [
        # a student that has not learned to answer yet is not asked
        _stage(replace(spec, epochs=epochs), card, name, task, data, sampler if name == "logits" else None)
        for name, epochs, task in tasks
    ]
    return Learning(student, stages)


def _stage(
    spec: BaseSpec,
    card: BaseCard,
    name: str,
    task: AnswerTask | FeatureTask,
    data: DataSets,
    sampler: Sampler | None,
) -> Stage:
    kept = None
    if spec.checkpoint is not None:
        path = spec.checkpoint.with_name(f"{name}-{spec.checkpoint.name}")
        kept = path, identity_of(spec, card)
    student = task.student
    begin = partial(
        Trainer, spec, student, task, data, sampler, ranks=student.ranks, losses=student.losses(task)
    )
    return Stage(name, begin, kept)
