"""What a module tells of the rows that it wraps under a master key, so that rotation knows them.

Each is named in `settings.MASTER_KEY_WRAPPERS`. Its functions run inside `tenant()`, for that organisation alone.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet


@dataclass(slots=True, frozen=True)
class Wrapper:
    """Rows of one kind: how many each master key wraps, and wrapping some of them anew under the active one."""

    in_use: Callable[[], Counter[str]]
    rewrap: Callable[[int], int]  # about so many at once; how many it did, 0 when nothing is left


def counted(rows: QuerySet[Any], column: str) -> Counter[str]:
    """How many rows each master key wraps, where a column holds its id."""
    return Counter(dict(rows.order_by().values_list(column).annotate(count=Count("pk"))))
