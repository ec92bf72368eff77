"""Whether what came out is put forward: better by enough on the deciding set, and no guard lost too much."""

from rootstock.accounts.actors import Actor, acting
from rootstock.adaptation.continual.checks import may_still
from rootstock.adaptation.continual.models import ContinualMeasure, ContinualRun, RunState
from rootstock.adaptation.continual.terms import Terms
from rootstock.errors import DomainError
from rootstock.registry.aliases import REASON_LIMIT, promotion_request
from rootstock.registry.models import Change

_ROUNDING = 1e-9  # a difference of two figures is as exact as that


def measure_holds(measure: ContinualMeasure, terms: Terms) -> bool | None:
    """Whether a set is as it must be: enough gained, or not too much lost. None until both sides are measured."""
    if measure.difference is None:
        return None
    least = -terms.largest_loss if measure.is_guard else terms.minimal_gain
    return measure.difference >= least - _ROUNDING


def judged(run: ContinualRun) -> tuple[RunState, str]:
    """How the run ends, and why; what is better is put forward. In the transaction that holds the run."""
    terms = run.said
    measures = list(run.measures.select_related("dataset").order_by("pk"))
    short = [measure for measure in measures if not measure_holds(measure, terms)]
    if short:
        return RunState.NOT_BETTER, "; ".join(_shortfall(measure, terms) for measure in short)
    if run.plan.alias.current_id != run.production_id:
        told = f"{run.plan.alias.name} serves {run.plan.alias.current.reference} meanwhile"
        return RunState.FAILED, f"{told}: the next run goes on from there"
    return _proposed(run, measures[0])


def _proposed(run: ContinualRun, deciding: ContinualMeasure) -> tuple[RunState, str]:
    """Ask in the name of who set the plan up, so that somebody else has to agree."""
    if not may_still(run.asked_by):
        return RunState.FAILED, "who set the plan up may no longer train adapters"
    told = f"{_moved(deciding)} on {deciding.dataset.name}"
    _, _, id = run.asked_by.partition(":")
    try:
        with acting(Actor("person", id)):
            run.promotion = promotion_request(
                organisation=run.organisation,
                alias=run.plan.alias.name,
                reference=run.version.reference if run.version else "",
                change=Change.SERVE,
                reason=f"Continual adaptation, run {run.number}: {told}"[:REASON_LIMIT],
            )
    except DomainError as error:
        if not error.permanent:
            raise
        return RunState.FAILED, f"it is better ({told}) and could not be put forward: {error.detail}"
    return RunState.PROPOSED, told


def _shortfall(measure: ContinualMeasure, terms: Terms) -> str:
    if measure.is_guard:
        return (
            f"{_moved(measure)} on {measure.dataset.name}, where at most {terms.largest_loss:g} may be lost"
        )
    return (
        f"{_moved(measure)} on {measure.dataset.name}, where at least {terms.minimal_gain:g} is to be gained"
    )


def _moved(measure: ContinualMeasure) -> str:
    return f"{measure.before:.3f} before, {measure.after:.3f} after ({measure.difference or 0.0:+.3f})"
