"""Runs go on, a step at a time: gathering, training, evaluating, and then proposed, not better, nothing new or failed.

A step looks at what the step before began, and writes all that it does itself in one transaction on the run's locked
row: jobs and promotions come into being with the state that knows of them, or not at all. So a run can be advanced by
any number of processes, each of which may die anywhere.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from rootstock.accounts.actors import Actor, acting
from rootstock.accounts.tenancy import every_tenant, tenant
from rootstock.adaptation.continual.judging import judged
from rootstock.adaptation.continual.measuring import measures_begin, measures_read
from rootstock.adaptation.continual.models import OPEN_RUNS, ContinualRun, RunState
from rootstock.adaptation.continual.runs import MOST, PART, run_end
from rootstock.adaptation.continual.training import examples_of_run, training_begin, training_outcome
from rootstock.errors import DomainError
from rootstock.jobs.retry import PASSING

log = logging.getLogger(__name__)
ACTOR = Actor("system", PART)


def runs_advance() -> int:
    """Take every open run as far as it goes now; how many steps that were."""
    with every_tenant(PART):
        rows = ContinualRun.objects.filter(state__in=OPEN_RUNS).order_by("pk")
        found = list(rows.values_list("organisation_id", "pk")[:MOST])
    steps = 0
    for owner, pk in found:
        while run_advance(organisation=owner, run_id=pk):
            steps += 1
    return steps


def run_advance(*, organisation: UUID, run_id: UUID) -> bool:
    """Take one run a step further. False: it waits, has ended, or another process is at it."""
    with acting(ACTOR):
        try:
            return _step(organisation, run_id)
        except PASSING as error:
            log.warning("continual run %s: a service is away: %s", run_id, type(error).__name__)
            return False
        except DomainError as error:
            return _refused(organisation, run_id, error)
        except Exception as error:
            log.exception("continual run %s failed", run_id)
            return _failed(organisation, run_id, f"{type(error).__name__}; see the log of run {run_id}")


def _step(organisation: UUID, run_id: UUID) -> bool:
    with tenant(organisation):
        run = ContinualRun.objects.filter(pk=run_id, state__in=OPEN_RUNS).first()
    return run is not None and STEPS[RunState(run.state)](run)


def _gather(run: ContinualRun) -> bool:
    """What is long is done before the row is held: the same examples give the same data sets, however often."""
    found = examples_of_run(run)
    with _held(run.organisation_id, run.pk, RunState.GATHERING) as held:
        if held is None:
            return False
        held.left_out = found.left_out
        if found.new is None:
            run_end(held, RunState.NOTHING_NEW, found.told)
            return True
        held.dataset, held.replay = found.new, found.replay
        held.training = training_begin(held)
        held.state, held.note = RunState.TRAINING, ""
        held.save()
    return True


def _train(run: ContinualRun) -> bool:
    with _held(run.organisation_id, run.pk, RunState.TRAINING) as held:
        if held is None:
            return False
        version, why = training_outcome(held)
        if why:
            run_end(held, RunState.FAILED, why)
        elif version is None:
            return False
        else:
            held.version, held.state, held.note = version, RunState.EVALUATING, ""
            held.save()
    return True


def _evaluate(run: ContinualRun) -> bool:
    with _held(run.organisation_id, run.pk, RunState.EVALUATING) as held:
        if held is None:
            return False
        if not held.measures.exists():
            measures_begin(held)
            return True
        complete, why = measures_read(held)
        if why:
            run_end(held, RunState.FAILED, why)
        elif not complete:
            return False
        else:
            state, reason = judged(held)
            run_end(held, state, reason)
    return True


@contextmanager
def _held(organisation: UUID, run_id: UUID, *states: RunState) -> Iterator[ContinualRun | None]:
    """The run in one of these states, until the end of the transaction nobody else's; None when it is not to be had."""
    with tenant(organisation):
        rows = ContinualRun.objects.select_for_update(skip_locked=True, of=("self",))
        related = rows.select_related("plan__alias__current", "production__base", "version__base", "training")
        yield related.filter(pk=run_id, state__in=states).first()


def _refused(organisation: UUID, run_id: UUID, error: DomainError) -> bool:
    """What passes is waited for, and told; what does not ends the run."""
    if error.permanent:
        return _failed(organisation, run_id, error.detail)
    with _held(organisation, run_id, *OPEN_RUNS) as held:
        if held is not None:
            held.note = error.detail[:300]
            held.save(update_fields=["note"])
    return False


def _failed(organisation: UUID, run_id: UUID, why: str) -> bool:
    with _held(organisation, run_id, *OPEN_RUNS) as held:
        if held is not None:
            run_end(held, RunState.FAILED, why)
    return held is not None


STEPS: dict[RunState, Callable[[ContinualRun], bool]] = {
    RunState.GATHERING: _gather, RunState.TRAINING: _train, RunState.EVALUATING: _evaluate,
}  # fmt: skip
