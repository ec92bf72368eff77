"""Charts of decisions and of models."""

from collections.abc import Mapping
from typing import Any

from rootstock.console.charts import Chart, Series

SHOWN = 12
"""Attributions and edges that a page shows; the API gives all."""


def attributions_chart(found: Mapping[str, Any]) -> Chart | None:
    """What each feature adds to the score, the largest first."""
    shown = found["attributions"][:SHOWN]
    if not shown:
        return None
    return Chart(
        id="attributions",
        title="What each feature adds",
        labels=[_feature(one) for one in shown],
        series=[Series("Adds", [round(one["weight"], 3) for one in shown], "accent")],
        kind="rows",
        unit="logits",
        label_title="Feature",
        note="Above nothing it raises the score, below it lowers it (TreeSHAP).",
    )


def _feature(one: Mapping[str, Any]) -> str:
    name = one["feature"].replace("_", " ")
    return name if one["value"] is None else f"{name} = {one['value']:.4g}"
