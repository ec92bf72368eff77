"""Background work of adaptation."""

from celery import shared_task

from rootstock.adaptation.continual.advance import runs_advance
from rootstock.adaptation.continual.runs import plans_run


@shared_task
def advance_continual() -> int:
    """Every few seconds: begin what is due, and take open runs a step further."""
    return plans_run() + runs_advance()
