"""OpenAI's lists: pages by `after`, the id behind which one goes on, and `limit`."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import Field

Limit = Annotated[int, Field(ge=1, le=1000)]


def listed(rows: Sequence[Any], limit: int, present: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """A page, from one row more than it shows."""
    data = [present(row) for row in rows[:limit]]
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return {"data": data, "has_more": len(rows) > limit, **ends}
