"""What is in force is changed by two people, and taken back by one, at once. A shadow decides nothing: one may."""

from collections.abc import Iterable
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.fraud.rules.models import RulesInForce, RulesMove, RulesRequest, RulesVersion
from apps.fraud.rules.versions import in_force_locked, version_numbered
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, NotFound
from rootstock.privacy.persons import check_two_persons, name_of, person_behind
from rootstock.webhooks.services import event_emit

REQUESTED, CHANGED, REFUSED = "fraud.rules_requested", "fraud.rules_changed", "fraud.rules_refused"
_SERVED = (RulesMove.Kind.SERVE, RulesMove.Kind.ROLL_BACK)


def request_make(*, organisation: Organisation, version: int, reason: str) -> RulesRequest:
    """Ask that a version comes into force; a second person decides. Raises NotFound and Conflict."""
    with tenant(organisation) as owner:
        wanted = version_numbered(version)
        _refuse_current(in_force_locked(organisation), wanted)
        request = RulesRequest(
            organisation_id=owner, version=wanted, reason=reason, requested_by=name_of(),
            person=person_behind(name_of()),
        )  # fmt: skip
        try:
            with transaction.atomic():
                request.save(force_insert=True)
        except IntegrityError:
            raise Conflict("there is an open request already; decide on it first") from None
        _tell(request, "requested", REQUESTED)
    return request


def request_get(*, organisation: Organisation, request_id: UUID) -> RulesRequest:
    """A request. Raises NotFound."""
    with tenant(organisation):
        row = RulesRequest.objects.select_related("version").filter(pk=request_id).first()
    if row is None:
        raise NotFound("no such request")
    return row


def request_approve(*, organisation: Organisation, request_id: UUID, because: str = "") -> RulesInForce:
    """Agree, as somebody else than who asked: the version is in force with the same transaction.

    Raises Forbidden for who asked, Conflict for a request that is decided on.
    """
    with tenant(organisation):
        request = _open(request_id)
        check_two_persons(request.person, name_of())
        row = in_force_locked(organisation)
        _refuse_current(row, request.version)
        _decide(request, RulesRequest.State.APPROVED, because)
        _serve(row, RulesMove.Kind.SERVE, request.version, request.reason, request)
        _tell(request, "approved", CHANGED)
    return row


def request_refuse(*, organisation: Organisation, request_id: UUID, because: str) -> RulesRequest:
    """Do not agree. Whoever asked withdraws it so."""
    with tenant(organisation):
        request = _open(request_id)
        own = request.person == person_behind(name_of())
        state = RulesRequest.State.WITHDRAWN if own else RulesRequest.State.REFUSED
        _decide(request, state, because)
        _tell(request, str(state), REFUSED)
    return request


def roll_back(
    *, organisation: Organisation, reason: str, version: int | None = None, generation: int | None = None
) -> RulesInForce:
    """Back to a version that was in force, to the one before without `version`, to none with 0: by one person.

    Raises Conflict for a version that was never agreed on, and when the generation is another than was seen.
    """
    with tenant(organisation):
        row = in_force_locked(organisation)
        if generation not in (None, row.generation):
            raise Conflict(f"generation: it is {row.generation} meanwhile, not {generation}: look again")
        target = _earlier(row, version)
        _serve(row, RulesMove.Kind.ROLL_BACK, target, reason)
        data = {"rules": target.reference if target else "", "generation": row.generation}
        event_emit(organisation=organisation, type=CHANGED, data=data)
    return row


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


def _refuse_current(row: RulesInForce, version: RulesVersion) -> None:
    if row.current_id == version.pk:
        raise Conflict(f"version: {version.reference} is in force already")


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
        target = _before(moves.values_list("kind", "after"))
    if target == row.current:
        raise Conflict("that is in force already")
    return target


def _before(moves: Iterable[tuple[str, str]]) -> RulesVersion | None:
    """What was in force before the present version, by (kind, after) of all moves in order.

    Who goes back twice does not come forth again.
    """
    served = [""]
    for kind, after in moves:
        if kind == RulesMove.Kind.ROLL_BACK and after in served:
            del served[len(served) - served[::-1].index(after) :]
        else:
            served.append(after)
    if len(served) < 2:
        raise Conflict("there is nothing to go back to")
    return version_numbered(_number(served[-2])) if served[-2] else None


def _number(reference: str) -> int:
    return int(reference.removeprefix("rules@").partition("-")[0])


def _serve(
    row: RulesInForce,
    kind: RulesMove.Kind,
    version: RulesVersion | None,
    reason: str,
    request: RulesRequest | None = None,
) -> None:
    before, row.current = row.current, version
    if version is not None and row.shadow_id == version.pk:
        row.shadow = None  # it has come out of it
    _move(row, kind, before, version, reason, request)


def _move(
    row: RulesInForce,
    kind: RulesMove.Kind,
    before: RulesVersion | None,
    after: RulesVersion | None,
    reason: str,
    request: RulesRequest | None = None,
) -> None:
    """Count a move of the locked row, and write it down."""
    row.generation += 1
    row.save()
    told = {"before": before.reference if before else "", "after": after.reference if after else ""}
    RulesMove.objects.create(
        organisation_id=row.organisation_id, generation=row.generation, kind=kind, moved_by=name_of(), reason=reason,
        request=request, **told,
    )  # fmt: skip
    audit_record(
        organisation=row.organisation_id,
        action=f"rules.{kind}",
        object_type="rules",
        object_id=after.pk if after else "",
        data=told | {"generation": row.generation},
    )


def _open(request_id: UUID) -> RulesRequest:
    rows = RulesRequest.objects.select_for_update(of=("self",)).select_related("version")
    request = rows.filter(pk=request_id).first()
    if request is None:
        raise NotFound("no such request")
    if request.state != RulesRequest.State.OPEN:
        raise Conflict(f"the request is {request.state} already")
    return request


def _decide(request: RulesRequest, state: str, because: str) -> None:
    request.state, request.because = state, because.strip()
    request.decided_by, request.decided_at = name_of(), timezone.now()
    request.save(update_fields=["state", "because", "decided_by", "decided_at"])


def _tell(request: RulesRequest, done: str, event: str) -> None:
    """Into the trail, and to whoever subscribed."""
    data = {"rules": request.version.reference, "request": str(request.pk)}
    organisation = request.organisation_id
    audit_record(
        organisation=organisation,
        action=f"rules.{done}",
        object_type="rules_request",
        object_id=request.pk,
        data={"rules": request.version.reference},
    )
    event_emit(organisation=organisation, type=event, data=data)
