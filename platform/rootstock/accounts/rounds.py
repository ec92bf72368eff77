"""Housekeeping goes from organisation to organisation; what fails in one keeps none of the others waiting."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar
from uuid import UUID

from rootstock.accounts.models import Organisation

log = logging.getLogger(__name__)
Which = TypeVar("Which", Organisation, UUID)


def each_organisation(work: Callable[[Organisation], int]) -> int:
    """The sum of what was done in every organisation. What failed in one is logged and done the next time."""
    return each_of(Organisation.objects.all(), work)


def each_of(organisations: Iterable[Which], work: Callable[[Which], int]) -> int:
    """The same in some of them, given as rows or by their ids."""
    count = 0
    for one in organisations:
        try:
            count += work(one)
        except Exception:
            key = one.pk if isinstance(one, Organisation) else one
            log.exception("%s failed in the organisation %s", work.__qualname__, key)
    return count
