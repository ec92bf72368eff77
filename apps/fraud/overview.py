"""What the home page tells of payments."""

from apps.fraud.selectors import outcome_totals
from rootstock.accounts.models import Organisation
from rootstock.console.formats import abbreviated, percentage
from rootstock.console.tiles import Tile


def tiles(*, organisation: Organisation) -> list[Tile]:
    """Payments that wait for a person, were declined, were scored; nothing before the first one."""
    totals = outcome_totals(organisation=organisation)
    scored = totals.approve + totals.review + totals.decline
    if not scored:
        return []
    return [
        Tile("Payments scored", abbreviated(float(scored)), symbol="shield-check", url="/fraud/"),
        Tile(
            "Payments for review", f"{totals.review:,}", note="an analyst decides", symbol="eye",
            tone="warn" if totals.review else "ok", url="/fraud/?outcome=review",
        ),
        Tile(
            "Payments declined", f"{totals.decline:,}", note=f"{percentage(totals.decline / scored, 1)} of all",
            symbol="octagon-alert", url="/fraud/?outcome=decline",
        ),
    ]  # fmt: skip
