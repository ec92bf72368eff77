"""Training of the fraud network: worlds in, weights and card out. CPU, one thread, minutes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from models_zoo.fraud import baselines, metrics
from models_zoo.fraud.events import Floats
from models_zoo.fraud.features import NAMES, tabular
from models_zoo.fraud.graph import event_inputs, graph
from models_zoo.fraud.nets import PARTS, FraudNet, Inputs
from models_zoo.fraud.streams import Past, Stream, joined, thinned
from models_zoo.fraud.streams import table as causal_table
from models_zoo.fraud.worlds import WARM_UP, stream

Report = Callable[[str], None]


@dataclass(slots=True, frozen=True)
class Plan:
    """What is trained on; days are split by time: train, then validation, then test. See `card.json`."""

    seed: int = 7
    worlds: tuple[int, ...] = (11, 12, 13)
    unseen: tuple[int, ...] = (101, 102)
    customers: int = 1000
    days: int = 75
    train_until: int = 50
    validate_until: int = 60
    keep: float = 0.15
    epochs: int = 8
    batch: int = 256
    rate: float = 4e-3


@dataclass(slots=True, frozen=True)
class Split:
    """Streams of the worlds by use."""

    train: Stream
    validation: Stream
    test: Stream
    unseen: list[Stream]


def prepare(plan: Plan) -> Split:
    """Generated worlds, split by time; the training part thinned."""
    worlds = [stream(seed, plan.customers, plan.days) for seed in plan.worlds]
    train = joined([world.between(WARM_UP, plan.train_until) for world in worlds])
    return Split(
        train=thinned(train, plan.keep, plan.seed),
        validation=joined([world.between(plan.train_until, plan.validate_until) for world in worlds]),
        test=joined([world.between(plan.validate_until, plan.days) for world in worlds]),
        unseen=[stream(seed, plan.customers, plan.days).between(WARM_UP, plan.days) for seed in plan.unseen],
    )


def table(near: Past) -> Floats:
    """Features float32 [N, F] of a whole stream."""
    return np.concatenate([tabular(one) for one in near.pieces()])


def fit(net: FraudNet, train: Stream, plan: Plan, report: Report) -> None:
    """Train in place. The loss is the fused head's, plus a little of each part's own head."""
    features = table(train.near)
    events = np.concatenate([event_inputs(one) for one in train.near.pieces()], axis=1)
    labels = torch.from_numpy(train.labels.astype(np.float32))
    net.tabular.fit(torch.from_numpy(features))
    optimizer = torch.optim.AdamW(net.parameters(), plan.rate, weight_decay=1e-3)
    steps = plan.epochs * (len(labels) // plan.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.rate, steps)
    rng = np.random.default_rng(plan.seed)
    for epoch in range(plan.epochs):
        net.train()
        total, started = 0.0, time.monotonic()
        order = rng.permutation(len(labels))[: len(labels) // plan.batch * plan.batch].reshape(-1, plan.batch)
        for index in order:
            given = Inputs.made(features[index], events[:, index], graph(train.near.rows(index)))
            loss = _loss(net, given, labels[torch.from_numpy(index)])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        report(
            f"epoch {epoch + 1}/{plan.epochs}: loss {total / len(order):.4f}, {time.monotonic() - started:.0f} s"
        )


def _loss(net: FraudNet, given: Inputs, labels: Tensor) -> Tensor:
    parts = net.parts(given)
    binary = nn.functional.binary_cross_entropy_with_logits
    alone = net.side_logits(parts)
    return binary(net.fuse(parts), labels) + 0.15 * binary(alone, labels[:, None].expand_as(alone))


@torch.inference_mode()
def logits(net: FraudNet, near: Past, batch: int = 1024) -> tuple[NDArray[np.float32], Tensor]:
    """Raw logits float32 [N] and encodings [N, 3, width] of a stream."""
    net.eval()
    parts = torch.cat([net.parts(Inputs.of(one)) for one in near.pieces(batch)])
    return net.fuse(parts).numpy(), parts


def calibrate(net: FraudNet, validation: Stream) -> NDArray[np.float64]:
    """Platt scaling and the reference encodings, from the validation days; returns their probabilities [N]."""
    raw, parts = logits(net, validation.near)
    labels = torch.from_numpy(validation.labels.astype(np.float64))
    values = torch.from_numpy(raw.astype(np.float64))
    platt = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([platt], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(values * platt[0] + platt[1], labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    net.platt.copy_(platt.detach())
    net.reference.copy_(parts[torch.from_numpy(~validation.labels)].mean(0))
    net.typical.copy_(torch.from_numpy(np.median(table(validation.near)[~validation.labels], axis=0)))
    return torch.sigmoid(net.calibrated(torch.from_numpy(raw))).numpy().astype(np.float64)


@torch.inference_mode()
def probabilities(net: FraudNet, near: Past) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Calibrated probability of fraud [N], and the logit that each part's own head gives [N, 3]."""
    raw, parts = logits(net, near)
    fused = torch.sigmoid(net.calibrated(torch.from_numpy(raw))).numpy().astype(np.float64)
    return fused, net.side_logits(parts).numpy()


def measure(net: FraudNet, split: Split) -> dict[str, Any]:
    """Figures of the network and of its baselines on the test days and on each unseen world."""
    tests = {"test": split.test} | {f"unseen_{place + 1}": one for place, one in enumerate(split.unseen)}
    tables = {name: table(one.near) for name, one in tests.items()}
    rules = {name: baselines.hand_rules(causal_table(one.near)) for name, one in tests.items()}
    fitted = baselines.learned(table(split.train.near), split.train.labels, list(tables.values()))
    report: dict[str, Any] = {}
    for place, (name, one) in enumerate(tests.items()):
        own, alone = probabilities(net, one.near)
        rows = {"network": metrics.figures(one.labels, own)}
        rows["network"] |= {"calibration_error": round(metrics.calibration_error(one.labels, own), 5)}
        rows |= {
            f"{part}_part_alone": metrics.figures(one.labels, alone[:, at]) for at, part in enumerate(PARTS)
        }
        rows["hand_rules"] = metrics.figures(one.labels, rules[name])
        rows |= {key: metrics.figures(one.labels, scores[place]) for key, scores in fitted.items()}
        report[name] = {"payments": len(one.labels), "frauds": int(one.labels.sum()), **rows}
    return report


def beats_baselines(report: dict[str, Any]) -> bool:
    """True if the network's average precision exceeds hand rules and logistic regression everywhere."""
    simple = ("hand_rules", "logistic_regression")
    key = "average_precision"
    return all(one["network"][key] > max(one[name][key] for name in simple) for one in report.values())


def train(plan: Plan, folder: Path, report: Report) -> dict[str, Any]:
    """Train, measure and, if it beats its simple baselines, write `model.safetensors` and `card.json`.

    Raises RuntimeError, and writes nothing, if it does not.
    """
    torch.set_num_threads(1)
    torch.manual_seed(plan.seed)
    started = time.monotonic()
    split = prepare(plan)
    frauds = int(split.train.labels.sum())
    report(f"{len(split.train.labels)} training rows, {frauds} frauds, {time.monotonic() - started:.0f} s")
    net = FraudNet()
    fit(net, split.train, plan, report)
    scores = calibrate(net, split.validation)
    thresholds = {
        "review": round(metrics.threshold_at(split.validation.labels, scores, 0.5), 4),
        "decline": round(metrics.threshold_at(split.validation.labels, scores, 0.95), 4),
    }
    figures = measure(net, split)
    if not beats_baselines(figures):
        raise RuntimeError(f"not shipped, no better than its simple baselines: {json.dumps(figures)}")
    return write(net, folder, plan, thresholds, figures, time.monotonic() - started)


def write(
    net: FraudNet,
    folder: Path,
    plan: Plan,
    thresholds: dict[str, float],
    figures: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """Write weights and card into a folder; returns the card."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "model.safetensors"
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, weights)
    card = {
        "name": "fraud",
        "digest": sha256(weights.read_bytes()).hexdigest(),
        "bytes": weights.stat().st_size,
        "parameters": sum(value.numel() for value in net.parameters()),
        "licence": "Apache-2.0",
        "data": "generated by models_zoo.fraud.generator: no real person, account or data set",
        "intended_use": "first score of a payment, with a person deciding on what it flags; re-train on own data",
        "command": "python -m models_zoo.fraud train",
        "plan": asdict(plan),
        "seconds": round(seconds),
        "split": "by time: train, validation and test days in order; the unseen worlds have other accounts",
        "thresholds": thresholds,
        "thresholds_from": "validation days: review at precision 0.50, decline at precision 0.95",
        "features": list(NAMES),
        "figures": figures,
    }
    (folder / "card.json").write_text(json.dumps(card, indent=2) + "\n")
    return card
