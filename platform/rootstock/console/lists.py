"""What the list pages of every vertical share: the chips of a filter bar, the address of the next page."""

from dataclasses import dataclass

from django.http import QueryDict


@dataclass(slots=True, frozen=True)
class Filter:
    """One chip of a filter bar."""

    label: str
    query: str
    current: bool


def next_url(query: QueryDict, cursor: str | None) -> str:
    """The address of the next page; empty on the last one."""
    if not cursor:
        return ""
    following = query.copy()
    following["cursor"] = cursor
    return f"?{following.urlencode()}"
