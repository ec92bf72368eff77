"""Lines of the command palette, and how a text becomes a range of ids."""

from dataclasses import dataclass
from uuid import UUID

MOST = 6


@dataclass(slots=True, frozen=True)
class Found:
    """One line of the palette. `press` names an element of the page to click instead of an address to open."""

    label: str
    url: str = ""
    hint: str = ""
    symbol: str = "file-text"
    keys: str = ""
    press: str = ""


def id_bounds(text: str) -> tuple[UUID, UUID] | None:
    """The first and last id that begin with `text`, of which at least eight digits are needed."""
    digits = text.replace("-", "").lower()
    if not 8 <= len(digits) <= 32 or any(digit not in "0123456789abcdef" for digit in digits):
        return None
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
