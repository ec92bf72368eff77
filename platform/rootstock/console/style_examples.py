"""Made-up contents of the style page."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rootstock.console import formats
from rootstock.console.charts import Chart, Series
from rootstock.console.graphs import Edge, Graph, Node
from rootstock.console.tables import BulkAction, Column, Empty, Table
from rootstock.console.templatetags.console import pill, risk
from rootstock.console.tiles import Tile

HOURS = [f"{hour:02d}:00" for hour in range(8, 20)]
NOTE = (
    "Mrs. [NAME] attended on 14 March with chest tightness and shortness of breath. No fever. "
    "Known type 2 diabetes, takes metformin 500 mg twice a day. Father had a myocardial infarction at 58."
)


@dataclass(slots=True, frozen=True)
class Payment:
    """A row of the example table."""

    pk: str
    payee: str
    amount: float
    currency: str
    score: float
    outcome: str
    paid: datetime


OUTCOMES = {"approve": ("ok", "Approved", ""), "review": ("warn", "For review", "eye")}
PAYMENTS = Table(
    name="style-payments",
    label="Payments",
    columns=[
        Column("pk", "Payment", css="mono"),
        Column("payee", "Payee", css="strong"),
        Column("amount", "Amount", value=lambda row: formats.money(row.amount, row.currency), css="num"),
        Column("score", "Risk", value=lambda row: risk(row.score)),
        Column("outcome", "Decision", value=lambda row: pill(*OUTCOMES[row.outcome])),
        Column("paid", "Received"),
    ],
    row_url=lambda row: "#s-table",
    empty=Empty("No payments yet", "Send one over the API."),
    actions=[
        BulkAction("Release", "#s-table", "check"),
        BulkAction(
            "Decline",
            "#s-table",
            "ban",
            "The payees get nothing and are told so.",
            "Decline these?",
            "danger",
        ),
    ],
    csv=False,
    views=False,
)
MOMENT = datetime(2026, 3, 14, 10, 42, 7, tzinfo=UTC)
ROWS = [
    Payment("0197-4c1a", "Kestrel Ltd", 9400.00, "EUR", 0.94, "review", MOMENT),
    Payment("0197-4c19", "Payroll, Aldwych Freight", 9650.00, "EUR", 0.12, "approve", MOMENT),
    Payment("0197-4c12", "M. Okafor", 312.40, "GBP", 0.41, "approve", MOMENT),
    Payment("0197-4c08", "Borealis Holdings", 18250.00, "USD", 0.71, "review", MOMENT),
]

RULES = {"instant_limit": 2000, "new_payee_days": 7, "night_hours": [0, 5], "review": ["amount", "device"]}
GRAPH = Graph(
    "style-graph",
    "Graph",
    [
        Node("kestrel", "Kestrel Ltd", "payer", "accent", focus=True),
        Node("borealis", "Borealis Holdings", "payee", "accent", focus=True),
        *(
            Node(f"n{n}", f"ACC-{n:03}", "known to both" if n == 3 else "", "high" if n == 3 else "neutral")
            for n in range(9)
        ),
    ],
    [
        Edge("kestrel", "borealis", "this payment", 4, "critical"),
        *(Edge(f"n{n}", "kestrel", "1 payment", 1, "ok") for n in range(5)),
        *(Edge("borealis", f"n{n}", "2 payments", 2, "warn", dashed=True) for n in range(3, 9)),
    ],
    note="Hover over a node to see what it is connected to.",
)


def _spans() -> list[dict[str, Any]]:
    wanted = [
        ("14 March", "date"), ("chest tightness", "symptom"), ("shortness of breath", "symptom"),
        ("type 2 diabetes", "condition"), ("metformin 500 mg", "medication"),
        ("myocardial infarction", "condition"),
    ]  # fmt: skip
    return [
        {"start": NOTE.index(text), "end": NOTE.index(text) + len(text), "label": label}
        for text, label in wanted
    ]


def examples() -> dict[str, Any]:
    """Everything that the style page's template names."""
    return {
        "moment": MOMENT,
        "tiles": [
            Tile(
                "Payments scored",
                "48.2k",
                note="last 24 hours",
                symbol="banknote",
                spark=(31, 34, 33, 38, 41, 40, 44, 43, 48),
                change="+9 %",
            ),
            Tile("Median latency", "4.1", "ms", note="p99 9.8 ms", symbol="clock"),
            Tile("Workers", "2", "of 2", note="all lanes served", symbol="circle-check", tone="ok"),
            Tile("Queue", "512", "waiting", note="full: work is refused", symbol="triangle-alert", tone="warn"),
        ],
        "states": ["queued", "running", "cancelling", "succeeded", "failed", "cancelled"],
        "contributions": {"Graph": 2.35, "Rules": 0.0, "Sequence": -0.64},
        "chart": Chart(
            "style-latency", "Score latency", HOURS,
            [
                Series("median", [4.1, 4.0, 4.2, 4.4, 4.1, 4.3, 4.6, 4.4, 4.2, 4.1, 4.0, 4.0], "accent"),
                Series("p99", [9.1, 8.8, 9.6, 11.2, 9.9, 10.4, 14.2, 11.0, 9.5, 9.0, 8.9, 8.7], "warn"),
            ],
            unit="ms", label_title="Hour", note="Made-up figures.",
        ),
        "bars": Chart(
            "style-decisions", "Decisions", HOURS,
            [
                Series("approved", [310, 402, 388, 420, 371, 399, 412, 430, 377, 342, 301, 288], "accent"),
                Series("for review", [12, 18, 15, 22, 14, 17, 25, 19, 14, 11, 9, 10], "warn"),
                Series("declined", [3, 4, 4, 6, 3, 5, 8, 4, 3, 2, 3, 2], "error"),
            ],
            kind="stacked", unit="payments", label_title="Hour",
        ),
        "graph": GRAPH,
        "old_rules": RULES,
        "new_rules": RULES | {"instant_limit": 1500, "new_payee_days": 14, "review": ["amount", "device", "payee"]},
        "code_example": "curl -H 'Authorization: Bearer rsk_…' \\\n  https://rootstock.example/api/v1/jobs",
        "note_text": NOTE,
        "note_spans": _spans(),
        "json_example": {"score": 0.94, "decision": "review", "reasons": ["new payee", "device"], "expires": None},
        "answer_tokens": "I am sorry about the delay. Your replacement card left our depot this morning.",
    }  # fmt: skip
