"""Plans and runs in words: pills, the forgetting report as a table and as bars."""

from collections.abc import Sequence
from dataclasses import dataclass

from cron_descriptor import Options, get_description
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from rootstock.adaptation.continual.judging import measure_holds
from rootstock.adaptation.continual.models import ContinualMeasure, ContinualPlan, ContinualRun, RunState
from rootstock.adaptation.continual.terms import Terms
from rootstock.adaptation.words import figure_title
from rootstock.console import formats
from rootstock.console.charts import Chart, Series
from rootstock.console.templatetags.console import pill

STATES = {
    RunState.GATHERING: ("info", "database"),
    RunState.TRAINING: ("info", "sprout"),
    RunState.EVALUATING: ("info", "gauge"),
    RunState.PROPOSED: ("ok", ""),
    RunState.NOT_BETTER: ("neutral", "circle"),
    RunState.NOTHING_NEW: ("neutral", "circle-dashed"),
    RunState.FAILED: ("error", ""),
}
_OPTIONS = Options()
_OPTIONS.use_24hour_time_format = True


def run_pill(state: str) -> SafeString:
    """How far a run has come."""
    tone, symbol = STATES[RunState(state)]
    return pill(tone, RunState(state).label, symbol)


def times_words(plan: ContinualPlan) -> str:
    """When it runs."""
    return f"{get_description(plan.cron, _OPTIONS)} ({plan.timezone})"


def newest_pill(plan: ContinualPlan) -> SafeString | str:
    """The newest run, leading to its page."""
    state, run = getattr(plan, "last_state", None), getattr(plan, "last_run", None)
    if not state:
        return formats.NONE
    return format_html('<a href="{}">{}</a>', reverse("continual-run", args=[run]), run_pill(state))


@dataclass(slots=True, frozen=True)
class Line:
    """One test set of a forgetting report."""

    measure: ContinualMeasure
    terms: Terms

    @property
    def name(self) -> str:
        """Of the test set."""
        return self.measure.dataset.name

    @property
    def role(self) -> str:
        """What it is for."""
        return "Guard" if self.measure.is_guard else "Decides"

    @property
    def figure(self) -> str:
        """What is measured on it."""
        return figure_title(self.measure.figure)

    @property
    def cells(self) -> list[str]:
        """Production before, new after, and the difference."""
        found = self.measure.difference
        difference = formats.NONE if found is None else f"{found:+.3f}"
        return [_figure(self.measure.before), _figure(self.measure.after), difference]

    @property
    def verdict(self) -> SafeString:
        """Whether it is as it must be."""
        holds = measure_holds(self.measure, self.terms)
        if holds is None:
            return pill("info", "Being measured", "gauge")
        if self.measure.is_guard:
            return pill("ok", "Kept") if holds else pill("error", "Lost too much")
        return pill("ok", "Better") if holds else pill("warn", "Not better enough")

    @property
    def bound(self) -> str:
        """What was asked of it."""
        if self.measure.is_guard:
            return f"loses at most {self.terms.largest_loss:g}"
        return f"gains at least {self.terms.minimal_gain:g}"


def _figure(value: float | None) -> str:
    return formats.NONE if value is None else f"{value:.3f}"


def report_of(run: ContinualRun) -> list[Line]:
    """The forgetting report. The run's measures are there."""
    return [Line(measure, run.said) for measure in run.measures.all()]


def report_chart(lines: Sequence[Line]) -> Chart | None:
    """Both versions side by side on every set; None until something is measured."""
    before, after = ([getattr(line.measure, side) for line in lines] for side in ("before", "after"))
    if all(value is None for value in (*before, *after)):
        return None
    return Chart(
        id="forgetting",
        title="Before and after",
        labels=[line.name for line in lines],
        series=[Series("served before", before, "info"), Series("came out", after, "accent")],
        kind="bar",
        label_title="Test set",
        note=lines[0].figure,
    )
