"""Aliases: what each serves now, what waits for a second person, and the way back."""

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.tenancy import tenant
from rootstock.console import formats
from rootstock.console.tables.keyset import NEWEST, take
from rootstock.privacy.persons import name_of, person_behind
from rootstock.registry import alias_selectors, aliases
from rootstock.registry.models import (
    AdapterVersion,
    Alias,
    AliasMove,
    Change,
    Evaluation,
    Promotion,
    ShadowTally,
)
from rootstock.registry.pages.common import DECIDE, READ, acted, rights
from rootstock.registry.pages.history import Happening, moves_timeline
from rootstock.registry.pages.words import asked
from rootstock.registry.persons import Names

SHOWN_MOVES, MOST_MOVES = 3, 200
PAGE = 20


@dataclass(slots=True, frozen=True)
class Shadow:
    """How the shadow's answers compare with what was served."""

    tally: ShadowTally

    @property
    def same(self) -> float:
        """Share of equal answers."""
        return self.tally.same / max(1, self.tally.compared)

    @property
    def agreement(self) -> float:
        """How alike they are on average, 0 to 1."""
        return self.tally.agreement / max(1, self.tally.compared)

    @property
    def current_ms(self) -> float:
        """What is served took on average."""
        return self.tally.current_ms / max(1, self.tally.compared)

    @property
    def shadow_ms(self) -> float:
        """The shadow took on average."""
        return self.tally.shadow_ms / max(1, self.tally.compared)


@dataclass(slots=True, frozen=True)
class Waiting:
    """An open promotion, with what it would change."""

    promotion: Promotion
    what: str
    proposed_by: str
    before: AdapterVersion | None
    own: bool
    evaluated: bool

    @property
    def title(self) -> str:
        """What waits."""
        asked_for, version = self.promotion, self.promotion.version.reference
        share = formats.percentage(asked_for.share)
        return {
            Change.SERVE: f"Serving {version} as {asked_for.alias}",
            Change.CANARY: f"A canary of {version} for {share} of {asked_for.alias}",
            Change.SHADOW: f"Comparing {version} with {share} of {asked_for.alias}",
        }[Change(asked_for.change)]

    @property
    def consequence(self) -> str:
        """What an approval does, in words."""
        until = f" Until now it was {self.before.reference}." if self.before else ""
        unknown = (
            "" if self.evaluated else " It was never evaluated on a frozen test set: say why it may serve."
        )
        holds = "It holds for every request admitted from then on, on all workers at once."
        return f"{self.what}.{until}{unknown} {holds}"

    @property
    def waiver(self) -> str:
        """What an approval has to set aside, by the field that says so."""
        return "" if self.evaluated else "without_evaluation"


@dataclass(slots=True, frozen=True)
class Deployment:
    """One alias of the board."""

    alias: Alias
    back_to: AdapterVersion | None
    shadow: Shadow | None
    moves: list[Happening]

    @property
    def rest(self) -> float:
        """The share that the canary leaves."""
        return 1.0 - self.alias.canary_share

    @property
    def back_title(self) -> str:
        """The question before a roll-back."""
        return f"Roll {self.alias.name} back?"

    @property
    def back_text(self) -> str:
        """What a roll-back does."""
        ends = " Its canary ends." if self.alias.canary else ""
        ends += " Its comparison ends." if self.alias.shadow else ""
        to = self.back_to.reference if self.back_to else ""
        return (
            f"Every request from now on gets {to} instead of {self.alias.current.reference}, on all workers.{ends} "
            "No second person is needed."
        )

    @property
    def end_canary(self) -> str:
        """What the end of the canary does."""
        return f"Everybody gets {self.alias.current.reference} again, from the next request on."

    @property
    def failed(self) -> str:
        """Comparisons without an answer."""
        return f"{self.shadow.tally.failed:,} failed" if self.shadow else ""


def waiting_of(request: PageRequest, promotions: list[Promotion]) -> list[Waiting]:
    """Open promotions as the viewer sees them. Call it inside `tenant()`."""
    names = Names(request.organisation, [one.requested_by for one in promotions])
    rows = Alias.objects.select_related("current", "canary", "shadow")
    served = {row.name: row for row in rows.filter(name__in={one.alias for one in promotions})}
    versions = {one.version_id for one in promotions}
    evaluated = set(Evaluation.objects.filter(version__in=versions).values_list("version", flat=True))
    viewer = person_behind(name_of())
    return [
        Waiting(
            one,
            asked(one),
            names.of(one.requested_by),
            _before(served.get(one.alias), one),
            one.person == viewer,
            one.version_id in evaluated,
        )
        for one in promotions
    ]


def _before(alias: Alias | None, promotion: Promotion) -> AdapterVersion | None:
    if alias is None:
        return None
    return {Change.SERVE: alias.current, Change.CANARY: alias.canary, Change.SHADOW: alias.shadow}[
        Change(promotion.change)
    ]


def _deployment(request: PageRequest, alias: Alias, most: int) -> Deployment:
    tally = alias_selectors.shadow_tally(alias) if alias.shadow_id else None
    moves = AliasMove.objects.filter(alias=alias).order_by("-generation")[:most]
    return Deployment(
        alias,
        alias_selectors.roll_back_target(alias),
        Shadow(tally) if tally else None,
        moves_timeline(request.organisation, list(moves)),
    )


@require_GET
@tenant_page(READ)
def board(request: PageRequest) -> HttpResponseBase:
    """Every alias, and what waits."""
    with tenant(request.organisation):
        found = take(
            Alias.objects.select_related("current", "canary", "shadow"), NEWEST,
            after=request.GET.get("after", ""), limit=PAGE,
        )  # fmt: skip
        waiting = waiting_of(request, alias_selectors.open_promotions())
        deployments = [_deployment(request, alias, SHOWN_MOVES) for alias in found.rows]
    context = {
        "tab": "deployments", "deployments": deployments, "waiting": waiting, "after": found.after, **rights(request),
    }  # fmt: skip
    return render(request, "registry/board.html", context)


@require_GET
@tenant_page(READ)
def alias_page(request: PageRequest, alias_id: UUID) -> HttpResponse:
    """One alias with all its moves."""
    alias = alias_selectors.alias_by_id(organisation=request.organisation, alias_id=alias_id)
    with tenant(request.organisation):
        waiting = waiting_of(request, alias_selectors.open_promotions(alias.name))
        shown = _deployment(request, alias, MOST_MOVES)
    context = {"tab": "deployments", "one": shown, "waiting": waiting, **rights(request)}
    return render(request, "registry/alias.html", context)


@require_POST
@tenant_page(DECIDE)
def roll_back(request: PageRequest, alias_id: UUID) -> HttpResponse:
    """Back to what it served before."""
    alias = alias_selectors.alias_by_id(organisation=request.organisation, alias_id=alias_id)
    reason, seen = request.POST.get("reason", ""), request.POST.get("generation", "")
    generation = int(seen) if seen.isdecimal() else -1  # a page always says what it showed
    return acted(
        request,
        lambda: aliases.alias_roll_back(
            organisation=request.organisation, alias=alias.name, reason=reason, generation=generation
        ),
        f"{alias.name} is rolled back: every request from now on gets what it served before.",
        "alias",
        alias_id,
    )


@require_POST
@tenant_page(DECIDE)
def end(request: PageRequest, alias_id: UUID) -> HttpResponse:
    """End a canary or a shadow."""
    alias = alias_selectors.alias_by_id(organisation=request.organisation, alias_id=alias_id)
    what, reason = request.POST.get("what", ""), request.POST.get("reason", "")
    return acted(
        request,
        lambda: aliases.alias_end(
            organisation=request.organisation, alias=alias.name, what=what, reason=reason
        ),
        f"The {what} has ended: everybody gets what {alias.name} serves.",
        "alias",
        alias_id,
    )
