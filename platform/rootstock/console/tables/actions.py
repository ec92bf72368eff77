"""What can be done to the rows that a person has ticked."""

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest

from rootstock.errors import InvalidInput

MAX_SELECTED = 500


@dataclass(slots=True, frozen=True)
class BulkAction:
    """A button of the bar that appears with the first ticked row; it posts `ids` to `url`.

    With `confirm` the consequence is named first. `tone` is "" or "danger".
    """

    label: str
    url: str
    symbol: str = ""
    confirm: str = ""
    confirm_title: str = "Are you sure?"
    tone: str = ""


def selected_ids(request: HttpRequest) -> list[UUID]:
    """The ids that a bulk action was sent. Raises InvalidInput for none, too many, or what is no id."""
    given = request.POST.getlist("ids")
    if not 1 <= len(given) <= MAX_SELECTED:
        raise InvalidInput.field("ids", f"choose between 1 and {MAX_SELECTED} rows")
    try:
        return [UUID(one) for one in given]
    except ValueError:
        raise InvalidInput.field("ids", "is not a row of this list") from None
