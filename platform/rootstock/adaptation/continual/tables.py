"""The lists of plans and of a plan's runs."""

from typing import Any

from django.urls import reverse

from rootstock.adaptation.continual.models import ContinualPlan, ContinualRun
from rootstock.adaptation.continual.words import newest_pill, run_pill, times_words
from rootstock.console.tables import Column, Empty, Table
from rootstock.console.templatetags.console import pill


def _next(plan: ContinualPlan) -> Any:
    return pill("neutral", "Paused", "pause") if plan.paused else plan.next_run_at


def _gain(run: ContinualRun) -> str:
    found = [measure.difference for measure in run.measures.all() if not measure.is_guard]
    return f"{found[0]:+.3f}" if found and found[0] is not None else ""


PLANS = Table(
    name="continual-plans",
    label="Continual adaptation",
    columns=[
        Column("alias", "Alias", value=lambda row: row.alias.name, css="strong mono"),
        Column("collection", "Learns from"),
        Column("times", "Runs", value=times_words),
        Column("next", "Next run", value=_next, csv=lambda row: row.next_run_at or ""),
        Column("last", "Newest run", value=newest_pill, csv=lambda row: row.last_state or ""),
        Column("note", "Note", css="wide"),
        Column("created", "Set up", value=lambda row: row.created_at, order="id", shown=False),
    ],
    sort="-created",
    row_url=lambda row: reverse("continual-plan", args=[row.pk]),
    empty=Empty(
        "No alias learns by the clock yet",
        "A plan has an alias learn what is newly labelled, measures it against what serves, and puts it forward only "
        "when it is better.",
        "refresh-cw",
    ),
)

RUNS = Table(
    name="continual-runs",
    label="Runs",
    columns=[
        Column("number", "Run", css="num"),
        Column("state", "State", value=lambda row: run_pill(row.state), csv=lambda row: row.state),
        Column("examples", "New examples", value=lambda row: row.dataset and row.dataset.rows, css="num"),
        Column("gain", "Difference", value=_gain, css="num"),
        Column("reason", "Why", value=lambda row: row.reason or row.note, css="wide"),
        Column("created", "Began", value=lambda row: row.created_at, order="id"),
        Column("finished", "Ended", value=lambda row: row.finished_at, shown=False),
    ],
    sort="-created",
    row_url=lambda row: reverse("continual-run", args=[row.pk]),
    empty=Empty("No runs yet", "The first begins at the next time, or when you run the plan now.", "clock"),
    views=False,
    live_s=5,
)
