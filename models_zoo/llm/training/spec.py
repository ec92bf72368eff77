"""The training API's data: what to train (`TrainSpec`), what happens (`TrainEvent`). Free of torch."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from models_zoo.llm.card import ModelError, Task, record_from

Schedule = Literal["cosine", "linear", "constant", "exponential"]
Method = Literal["lora", "two_stage", "dpo"]
Compute = Literal["auto", "float32", "bfloat16", "float16"]
ALL_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(slots=True, frozen=True)
class TrainSpec:
    """One LoRA training run on a resident base. Everything here is recorded in the adapter's card.

    method "lora": the adapter and, where the task has one, its head, together; "two_stage": the head alone for
    `head_epochs`, then all; "dpo": a chat adapter from pairs of answers, of which one was preferred (Rafailov et al.,
    2023), against the model as it is before the first step, which without `start_from` is the base alone.

    Data are JSON Lines files, one example a line, UTF-8:
      chat            {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", ...}]}
      classification  {"text": "...", "labels": ["joy", ...]}      (exactly one label unless `multi_label`)
                      or beside it "probabilities": [0.8, ...], what a teacher finds each of these labels
                      (Hinton et al., 2015)
      tagging         {"text": "...", "spans": [[start, end, "LABEL"], ...]}      (characters, no overlap)
      chat by dpo     {"messages": [..., {"role": "user", ...}], "chosen": "...", "rejected": "..."}
    """

    base: Path  # folder of the converted base
    target: Path  # adapter folder to write; appears whole or not at all
    name: str
    task: Task
    train: Path
    evaluation: Path | None = None  # decides which state is kept, and the thresholds
    test: Path | None = None  # measured once, at the end, with what evaluation decided
    mix: Path | None = None  # a second data set, blended in by `mix_schedule`
    mix_schedule: tuple[float, ...] = (
        0.0,
        1.0,
    )  # its share of the new examples at the first and the last step
    replay: Path | None = None  # examples of what was learned before, against forgetting
    replay_share: float = 0.2  # of every batch
    labels: tuple[str, ...] = ()  # empty: taken from the training data, sorted
    multi_label: bool = False
    bidirectional: bool | None = None  # None: False for chat, True for the two head tasks
    max_tokens: int = 256  # examples are cut (chat: whole conversation; others: text)
    overlap_tokens: int = 64  # of the windows over longer texts, at evaluation and serving
    answers_only: bool = True  # chat: learn the assistant's turns; False: every token of every turn
    packing: bool = False  # several examples in a row of `max_tokens`, none of which sees another

    method: Method = "lora"
    start_from: Path | None = None  # folder of an adapter of the same shape, to go on from
    beta: float = 0.1  # dpo: how dear it is to differ from the start
    rank: int = 16
    alpha: float = 32.0
    rs_lora: bool = False  # the scale is alpha / sqrt(rank), not alpha / rank (Kalajdzievski, 2023)
    dropout: float = 0.05
    targets: tuple[str, ...] = ALL_TARGETS
    last_layers: int | None = None  # adapt only the last N layers; None: all

    epochs: float = 3.0  # over `train` and `mix`; an epoch's replayed examples come on top
    head_epochs: float = 1.0  # of the head alone, before them
    max_steps: int | None = None  # stops earlier; the schedule is made for what will really run
    batch_size: int = 32
    accumulation: int = 1
    learning_rate: float = 4e-4
    head_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    schedule: Schedule = "cosine"  # of the learning rates, of each stage
    warmup: float = 0.06  # fraction of the steps
    clip: float = 1.0
    label_smoothing: float = (
        0.0  # dpo: the share of pairs whose preference is taken to be wrong (Mitchell, 2023)
    )
    seed: int = 0
    evaluate_every: int | None = None  # steps; None: at the end of every epoch. The best state is kept.
    sample_prompts: tuple[str, ...] = ()  # chat: questions that the state so far answers then, greedily
    patience: int | None = None  # evaluations in a row that are no better, after which the run ends

    compute: Compute = (
        "auto"  # of products and attention; all else is float32. auto: as the base is on the device
    )
    recompute: bool | None = None  # layers again for the gradient, which saves memory; None: what needs be
    checkpoint: Path | None = None  # file to write the run's state to, and to go on from when it is there
    checkpoint_s: float = 30.0  # seconds between two of them
    device: str = "cpu"
    processes: int = 1  # that share every batch, each on a device of its own; torchrun starts them
    threads: int | None = None
    precision: Literal["float32", "float16"] = "float16"  # of the stored adapter
    licence: str = ""
    description: str = ""
    data_note: dict[str, Any] = field(default_factory=dict)  # of the data: name, source, licence


PATHS = ("base", "target", "checkpoint", "start_from", "train", "mix", "replay", "evaluation", "test")
DATA = PATHS[-5:]


@dataclass(slots=True, frozen=True)
class TrainEvent:
    """Something that happened. `kind` says which of the fields are meaningful.

    resumed     step, steps, epoch: a run that was killed goes on behind this step
    step        step, steps, epoch, loss, learning_rate, tokens_per_second, memory_bytes (of the process; on CUDA
                the most that was allocated on the device), eta_s
    evaluation  step, steps, epoch, metrics (higher `metrics["score"]` is better), best
    sample      step, steps, epoch, prompt (the number in `sample_prompts`, from 1), text
    log         step, steps, text: something for whoever follows the run
    done        metrics of the kept state, folder, digest (full SHA-256), seconds (of all its attempts), stopped_early
    """

    kind: Literal["resumed", "step", "evaluation", "sample", "log", "done"]
    step: int
    steps: int
    epoch: float = 0.0
    loss: float | None = None
    learning_rate: float | None = None
    tokens_per_second: float | None = None
    memory_bytes: int | None = None
    eta_s: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    best: bool = False
    prompt: int | None = None
    text: str | None = None
    folder: Path | None = None
    digest: str | None = None
    seconds: float | None = None
    stopped_early: bool = False


def read_spec(path: Path) -> TrainSpec:
    """A `TrainSpec` from a TOML or JSON file; relative paths in it are taken from the file's folder.

    Raises `ModelError` naming the field that is unknown, missing or of the wrong type.
    """
    return record_from(TrainSpec, read_values(path, PATHS), where=str(path))


def read_values(path: Path, paths: Sequence[str]) -> dict[str, Any]:
    """The fields of a spec's file, those named in `paths` taken from its folder."""
    text = path.read_text(encoding="utf-8")
    try:
        values: dict[str, Any] = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        raise ModelError(f"{path}: {error}") from error
    for name in paths:
        if isinstance(values.get(name), str):
            values[name] = str(path.parent / values[name])
    return values


def spec_record(spec: TrainSpec) -> dict[str, Any]:
    """The spec as JSON values for the card; of paths only the last part, which names no machine's layout. Questions
    that are asked on the way are no part of what is learned, and may name persons."""
    told = {key: value for key, value in asdict(spec).items() if key != "sample_prompts"}
    return {key: value.name if isinstance(value, Path) else value for key, value in told.items()}
