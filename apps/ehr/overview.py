"""What the home page tells of records."""

from apps.ehr.selectors import counts
from rootstock.accounts.models import Organisation
from rootstock.console.tiles import Tile


def tiles(*, organisation: Organisation) -> list[Tile]:
    """Patients, those at high risk, notes that nobody can read yet; nothing before the first patient."""
    found = counts(organisation=organisation)
    if not found["patients"]:
        return []
    high, withheld = found["high"], found["withheld"]
    return [
        Tile("Patients", f"{found['patients']:,}", symbol="stethoscope", url="/ehr/"),
        Tile(
            "At high risk", f"{high:,}", note="NEWS2 of 7 or more", symbol="heart-pulse",
            tone="error" if high else "ok", url="/ehr/?band=high",
        ),
        Tile(
            "Notes withheld", f"{withheld:,}", note="until they are de-identified", symbol="shield-check",
            tone="warn" if withheld else "ok",
        ),
    ]  # fmt: skip
