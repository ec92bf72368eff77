"""Scheduled work of the audit trail."""

from celery import shared_task


@shared_task
def write_roots() -> int:
    """Every few seconds: seal what waits, in every organisation, and tell a witness that was away.

    Returns how many roots were written.
    """
    from rootstock.accounts.rounds import each_of
    from rootstock.audit.roots import organisations_waiting, roots_write
    from rootstock.audit.witness import witness_catch_up

    made = each_of(organisations_waiting(), lambda one: len(roots_write(organisation=one, wait=False)))
    witness_catch_up()
    return made
