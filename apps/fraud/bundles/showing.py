"""What the page tells of a model's card: figures beside its parts, rules and plain boosting, what each part is worth,
cost and calibration as charts."""

from collections.abc import Mapping
from typing import Any

from rootstock.console.charts import Chart, Series

RANKINGS = {
    "shipped": "The shipped model",
    "boosting": "Its boosting alone",
    "sequence": "Its sequence net alone",
    "graph": "Its graph net alone",
    "hist_gradient_boosting": "Plain boosting",
    "logistic_regression": "Logistic regression",
    "hand_rules": "Hand rules",
}
FIGURES = {
    "average_precision": "AP",
    "roc_auc": "AUC",
    "precision_at_budget": "Precision at the alert budget",
}


def compared(card: Mapping[str, Any]) -> list[tuple[str, list[float]]]:
    """Of each ranking its name and figures, this model first."""
    test, decides = card["figures"]["test"], card["decides"]
    rankings = {decides: "This model"} | {name: told for name, told in RANKINGS.items() if name != decides}
    return [
        (title, [test[name][figure] for figure in FIGURES])
        for name, title in rankings.items()
        if name in test
    ]


def own_figures(card: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The model's own figures with their names."""
    test = card["figures"]["test"]
    return [(label, test[card["decides"]][name]) for name, label in FIGURES.items()]


def charts_of(card: Mapping[str, Any]) -> list[Chart]:
    """Figures beside the others', cost by how many payments are looked at, and calibration."""
    rows = compared(card)
    return [
        Chart(
            id="figures",
            title="Beside others",
            labels=[title for title, _ in rows],
            series=[
                Series(figure, [values[place] for _, values in rows])
                for place, figure in enumerate(FIGURES.values())
            ],
            kind="rows",
            label_title="Ranking",
            note="On the last days, which no model had seen. The alert budget is "
            f"{card['alert_budget']:.1%} of all payments.{_gain(card)}",
        ),
        *_ablation(card),
        _cost(card),
        *_calibration(card),
    ]


def _gain(card: Mapping[str, Any]) -> str:
    shipped = card["figures"]["test"].get("shipped")
    if shipped is None:
        return ""
    gain = shipped["gain"]
    return f" AP beyond the shipped model's: {gain['gain']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})."


def _ablation(card: Mapping[str, Any]) -> list[Chart]:
    left_out = {name: one["lost"] for name, one in card.get("ablation", {}).items() if "lost" in one}
    if not left_out:
        return []
    return [
        Chart(
            id="ablation",
            title="Lost without a part",
            labels=[name.replace("_", " ").replace("tabular", "boosting") for name in left_out],
            series=[
                Series("Lost", [one["loss"] for one in left_out.values()], "accent"),
                Series("At least", [one["low"] for one in left_out.values()], "violet"),
            ],
            kind="bar",
            unit="AP",
            label_title="Fusion",
            note="At least: the lower end of the paired bootstrap's interval.",
        )
    ]


def _cost(card: Mapping[str, Any]) -> Chart:
    curve = card["figures"]["test"]["cost_curve"]
    return Chart(
        id="cost",
        title="What fraud costs",
        labels=[f"{one['alerts']:.1%}" for one in curve],
        series=[Series("Cost", [one["cost"] for one in curve], "accent")],
        unit="share of doing nothing",
        label_title="Payments looked at",
        note=f"Missed frauds plus {card['review_cost']:.0f} euros a look; 1 is doing nothing.",
    )


def _calibration(card: Mapping[str, Any]) -> list[Chart]:
    test = card["figures"]["test"]
    if "calibration" not in test:
        return []
    return [
        Chart(
            id="calibration",
            title="Said and came",
            labels=[f"{place}" for place in range(1, len(test["calibration"]) + 1)],
            series=[
                Series("Said", [round(100 * one["said"], 3) for one in test["calibration"]], "accent"),
                Series("Came", [round(100 * one["came"], 3) for one in test["calibration"]], "violet"),
            ],
            kind="bar",
            unit="% fraud",
            label_title="Tenth of payments by score",
            note=f"Expected calibration error {test['calibration_error']:.4f}.",
        )
    ]
