"""What the home page tells of the support desk."""

from apps.support.selectors import counts
from rootstock.accounts.models import Organisation
from rootstock.console.tiles import Tile


def tiles(*, organisation: Organisation) -> list[Tile]:
    """Open conversations, and how many of them were upset at last; nothing before the first one."""
    found = counts(organisation)
    if not found["all"]:
        return []
    upset = found["upset"]
    return [
        Tile("Open conversations", f"{found['open']:,}", symbol="messages-square", url="/support/?state=open"),
        Tile(
            "Upset at last", f"{upset:,}", note="among the open ones", symbol="frown",
            tone="warn" if upset else "ok", url="/support/?state=open&group=upset",
        ),
    ]  # fmt: skip
