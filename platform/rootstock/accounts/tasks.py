"""Scheduled work on accounts."""

from celery import shared_task

from rootstock.accounts import retention


@shared_task
def purge_accounts() -> int:
    """Once a day: what signing in and inviting left behind and nothing needs any more."""
    return retention.sign_in_traces_purge() + retention.invitations_purge()
