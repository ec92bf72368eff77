"""Charts of decisions and of models."""

from collections.abc import Mapping
from typing import Any

from apps.fraud.payload import CHANNELS
from rootstock.console.charts import Chart, Series

SHOWN = 12
"""Attributions and edges that a page shows; the API gives all."""
EXPERTS = {"tabular": "", "sequence": "order: ", "graph": "graph: "}
"""What stands before a feature: which part of the model it moved. Short, for phones."""


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
        note="Right of 0 it raises that part's own score, left of it lowers it: TreeSHAP for the payment, integrated "
        "gradients for the order of payments and for the graph of accounts.",
    )


def _feature(one: Mapping[str, Any]) -> str:
    name = f"{EXPERTS[one['expert']]}{one['feature'].removeprefix('events_').replace('_', ' ')}"
    if one["value"] is None:
        return name
    told = CHANNELS[int(one["value"])] if one["feature"] == "channel" else f"{one['value']:.4g}"
    return f"{name} = {told}"
