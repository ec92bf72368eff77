"""What is in force is changed by two people, and taken back by one, at once. A shadow decides nothing: one may."""

from apps.fraud.four_eyes.agreeing import FourEyes, served_before
from apps.fraud.rules.models import RulesInForce, RulesMove, RulesRequest, RulesVersion
from apps.fraud.rules.versions import in_force_locked, version_numbered
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict
from rootstock.privacy.persons import name_of

_SERVED = (RulesMove.Kind.SERVE, RulesMove.Kind.ROLL_BACK)


def roll_back(
    *, organisation: Organisation, reason: str, version: int | None = None, generation: int | None = None
) -> RulesInForce:
    """Back to a version that was in force, to the one before without `version`, to none with 0: by one person.

    Raises Conflict for a version that was never agreed on, and when the generation is another than was seen.
    """
    return AGREEMENT.roll_back(
        organisation=organisation,
        reason=reason,
        generation=generation,
        earlier=lambda row: _earlier(row, version),
    )


def shadow_set(*, organisation: Organisation, version: int | None, reason: str) -> RulesInForce:
    """Try a version beside the one in force, or none any more. Raises NotFound and Conflict."""
    with tenant(organisation):
        row = in_force_locked(organisation)
        wanted = version_numbered(version) if version is not None else None
        if wanted == row.shadow:
            raise Conflict("that is so already")
        before, row.shadow = row.shadow, wanted
        _move(row, RulesMove.Kind.SHADOW if wanted else RulesMove.Kind.END_SHADOW, before, wanted, reason)
    return row


def _earlier(row: RulesInForce, number: int | None) -> RulesVersion | None:
    """The version to go back to, None for no rules."""
    moves = RulesMove.objects.filter(kind__in=_SERVED).order_by("generation")
    if number == 0:
        target = None
    elif number is not None:
        target = version_numbered(number)
        if not moves.filter(after=target.reference).exists():
            raise Conflict(
                f"version: {target.reference} was never in force: a second person has to agree to it"
            )
    else:
        served = [(one.kind == RulesMove.Kind.ROLL_BACK, one.after) for one in moves]
        before = served_before("", served, "there is nothing to go back to")
        target = version_numbered(_number(before)) if before else None
    if target == row.current:
        raise Conflict("that is in force already")
    return target


def _number(reference: str) -> int:
    return int(reference.removeprefix("rules@").partition("-")[0])


def _serve(
    row: RulesInForce, version: RulesVersion | None, reason: str, request: RulesRequest | None
) -> None:
    before, row.current = row.current, version
    if version is not None and row.shadow_id == version.pk:
        row.shadow = None  # it has come out of it
    kind = RulesMove.Kind.SERVE if request else RulesMove.Kind.ROLL_BACK
    _move(row, kind, before, version, reason, request)


def _move(
    row: RulesInForce,
    kind: RulesMove.Kind,
    before: RulesVersion | None,
    after: RulesVersion | None,
    reason: str,
    request: RulesRequest | None = None,
) -> None:
    """Store the locked row, and write the move down."""
    AGREEMENT.moved(row, kind, before, after)
    RulesMove.objects.create(
        organisation_id=row.organisation_id, generation=row.generation, kind=kind, moved_by=name_of(), reason=reason,
        request=request, before=before.reference if before else "", after=after.reference if after else "",
    )  # fmt: skip


AGREEMENT = FourEyes(
    name="rules",
    thing="rules",
    serving="is in force",
    requests=RulesRequest,
    numbered=version_numbered,
    locked=in_force_locked,
    serve=_serve,
)
