"""What was decided about a version or an alias, as a timeline: the newest first, with persons and reasons."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from rootstock.accounts.models import Organisation
from rootstock.console import formats
from rootstock.registry.models import AdapterVersion, AliasMove, Move, Promotion
from rootstock.registry.pages.words import asked
from rootstock.registry.persons import Names

TONES = {
    Move.SERVE: "ok", Move.CANARY: "info", Move.SHADOW: "info", Move.END_CANARY: "neutral",
    Move.END_SHADOW: "neutral", Move.ROLL_BACK: "warn",
}  # fmt: skip


@dataclass(slots=True, frozen=True)
class Happening:
    """One point of the timeline."""

    at: datetime
    text: str
    who: str
    reason: str = ""
    tone: str = "neutral"
    url: str = ""


def version_history(
    organisation: Organisation,
    version: AdapterVersion,
    promotions: Sequence[Promotion],
    moves: Sequence[AliasMove],
) -> list[Happening]:
    """From its making to its retirement."""
    names = Names(
        organisation,
        [version.created_by, version.retired_by, *_people(promotions), *(m.moved_by for m in moves)],
    )
    found = [Happening(version.created_at, "Registered", names.of(version.created_by))]
    for promotion in promotions:
        found += promotion_happenings(promotion, names)
    found += [move_happening(move, names, with_alias=True) for move in moves]
    if version.retired_at:
        found.append(
            Happening(
                version.retired_at, "Retired", names.of(version.retired_by), version.retired_because, "warn"
            )
        )
    return newest_first(found)


def promotion_happenings(promotion: Promotion, names: Names) -> list[Happening]:
    """That somebody asked, and what somebody else said. The move that an approval made is told on its own."""
    url = reverse("promotion", args=[promotion.pk])
    found = [
        Happening(
            promotion.created_at, f"Asked: {asked(promotion)}", names.of(promotion.requested_by), promotion.reason,
            url=url,
        )
    ]  # fmt: skip
    if promotion.decided_at:
        said, tone = Promotion.State(promotion.state).label, "neutral"
        if promotion.state == Promotion.State.APPROVED:
            tone = "ok"
        found.append(
            Happening(
                promotion.decided_at, f"{said}: {asked(promotion)}", names.of(promotion.decided_by),
                promotion.because, tone, url,
            )
        )  # fmt: skip
    return found


def move_happening(move: AliasMove, names: Names, with_alias: bool = False) -> Happening:
    """One move of an alias."""
    label = Move(move.move).label
    text = f"{move.alias.name}, generation {move.generation}: {label.lower()}" if with_alias else label
    if move.before or move.after:
        text += f", {move.before or 'nothing'} → {move.after or 'nothing'}"
    if move.share < 1.0:
        text += f", {formats.percentage(move.share)} of the requests"
    url = reverse("alias", args=[move.alias_id]) if with_alias else ""
    return Happening(move.at, text, names.of(move.moved_by), move.reason, TONES[Move(move.move)], url)


def moves_timeline(organisation: Organisation, moves: Sequence[AliasMove]) -> list[Happening]:
    """Moves of one alias."""
    names = Names(organisation, [move.moved_by for move in moves])
    return [move_happening(move, names) for move in moves]


def newest_first(found: Iterable[Happening]) -> list[Happening]:
    """As a reader looks for them."""
    return sorted(found, key=lambda one: one.at, reverse=True)


def _people(promotions: Sequence[Promotion]) -> list[str]:
    return [name for one in promotions for name in (one.requested_by, one.decided_by)]
