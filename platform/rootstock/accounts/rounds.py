"""Housekeeping goes from organisation to organisation; what fails in one keeps none of the others waiting."""

import logging
from collections.abc import Callable

from rootstock.accounts.models import Organisation

log = logging.getLogger(__name__)


def each_organisation(work: Callable[[Organisation], int]) -> int:
    """The sum of what was done in every organisation. What failed in one is logged and done the next time."""
    count = 0
    for organisation in Organisation.objects.all():
        try:
            count += work(organisation)
        except Exception:
            log.exception("%s failed in the organisation %s", work.__qualname__, organisation.pk)
    return count
