"""The curves of one training, and of several over each other."""

from collections.abc import Sequence
from typing import Any

from rootstock.console.charts import Chart, Series
from rootstock.jobs.pages import course

Told = Sequence[dict[str, Any]]
HIDDEN = {"score", "perplexity"}  # a ranking of states, and the exponential of the loss


def training_charts(steps: Told, evaluations: Told) -> list[Chart]:
    """Loss with the evaluation's beside it, other figures of evaluations, learning rate and speed."""
    steps, evaluations = course(steps), course([one for one in evaluations if one.get("step") is not None])
    found = [
        _losses(steps, evaluations),
        _figures(evaluations),
        _one("rate", "Learning rate", steps, "learning_rate"),
        _one("speed", "Speed", steps, "tokens_per_second", unit="tokens/s"),
    ]
    return [chart for chart in found if chart]


def _losses(steps: Told, evaluations: Told) -> Chart | None:
    trained = _by_step(steps, lambda one: one.get("loss"))
    measured = _by_step(evaluations, lambda one: one["metrics"].get("loss"))
    if len(trained) < 2:
        return None
    lines = [("training", trained, "accent"), ("evaluation", measured, "warn")]
    return _over_steps("loss", "Loss", [line for line in lines if line[1]])


def _figures(evaluations: Told) -> Chart | None:
    names = sorted({name for one in evaluations for name in one["metrics"]} - HIDDEN - {"loss"})
    lines = [
        (name.replace("_", " "), _by_step(evaluations, lambda one, name=name: one["metrics"].get(name)), "")
        for name in names
    ]
    return _over_steps("figures", "Evaluation at checkpoints", lines) if lines else None


def _one(id: str, title: str, steps: Told, name: str, unit: str = "") -> Chart | None:
    values = _by_step(steps, lambda one: one.get(name))
    if len(values) < 2:
        return None
    return _over_steps(id, title, [(name.replace("_", " "), values, "")], unit=unit, small=True)


def compared(curves: Sequence[tuple[str, Told]], id: str, title: str) -> Chart | None:
    """One line for each run: its name, and its values by step under `value`."""
    lines = [(name, _by_step(course(told), lambda one: one.get("value")), "") for name, told in curves]
    lines = [line for line in lines if line[1]]
    note = f"Of {lines[0][0]} alone." if len(lines) == 1 else ""
    return _over_steps(id, title, lines, note=note) if lines else None


def _by_step(told: Told, value: Any) -> dict[int, float]:
    found = ((one["step"], value(one)) for one in told)
    return {step: float(f"{number:.5g}") for step, number in found if number is not None}


def _over_steps(
    id: str, title: str, lines: Sequence[tuple[str, dict[int, float], str]], **more: Any
) -> Chart:
    """Lines over all the steps that any of them has; each joins its own points."""
    steps = sorted({step for _, values, _ in lines for step in values})
    series = [
        Series(name, [values.get(step) for step in steps], tone, sparse=len(values) < len(steps))
        for name, values, tone in lines
    ]
    return Chart(
        id=id, title=title, labels=[str(step) for step in steps], series=series, label_title="Step", **more
    )
