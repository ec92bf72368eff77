"""Which model scores is changed by two people, and taken back by one, at once."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.fraud.bundles.models import ModelInForce, ModelMove, ModelRequest, ModelVersion
from apps.fraud.bundles.versions import in_force_locked, version_numbered
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, NotFound
from rootstock.privacy.persons import check_two_persons, name_of, person_behind
from rootstock.registry.aliases import reason_given
from rootstock.webhooks.services import event_emit

REQUESTED, CHANGED, REFUSED = "fraud.model_requested", "fraud.model_changed", "fraud.model_refused"


def request_make(*, organisation: Organisation, version: int, reason: str) -> ModelRequest:
    """Ask that a version scores; a second person decides. Raises NotFound and Conflict."""
    with tenant(organisation) as owner:
        wanted = version_numbered(version)
        _refuse_current(in_force_locked(organisation), wanted)
        request = ModelRequest(
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


def request_get(*, organisation: Organisation, request_id: UUID) -> ModelRequest:
    """A request. Raises NotFound."""
    with tenant(organisation):
        row = ModelRequest.objects.select_related("version").filter(pk=request_id).first()
    if row is None:
        raise NotFound("no such request")
    return row


def request_approve(*, organisation: Organisation, request_id: UUID, because: str = "") -> ModelInForce:
    """Agree, as somebody else than who asked: the version scores within seconds.

    Raises Forbidden for who asked, Conflict for a request that is decided on.
    """
    with tenant(organisation):
        request = _open(request_id)
        check_two_persons(request.person, name_of())
        row = in_force_locked(organisation)
        _refuse_current(row, request.version)
        _decide(request, ModelRequest.State.APPROVED, because)
        _serve(row, ModelMove.Kind.SERVE, request.version, request.reason, request)
        _tell(request, "approved", CHANGED)
    return row


def request_refuse(*, organisation: Organisation, request_id: UUID, because: str) -> ModelRequest:
    """Do not agree. Whoever asked withdraws it so."""
    with tenant(organisation):
        request = _open(request_id)
        own = request.person == person_behind(name_of())
        state = ModelRequest.State.WITHDRAWN if own else ModelRequest.State.REFUSED
        _decide(request, state, reason_given(because))
        _tell(request, str(state), REFUSED)
    return request


def roll_back(*, organisation: Organisation, reason: str, generation: int | None = None) -> ModelInForce:
    """Back to what scored before, the shipped model in the end, by one person: two had agreed on what it was.

    Raises Conflict when there is nothing to go back to, and when the generation is another than was seen.
    """
    with tenant(organisation):
        row = in_force_locked(organisation)
        if generation not in (None, row.generation):
            raise Conflict(f"generation: it is {row.generation} meanwhile, not {generation}: look again")
        target = served_before()
        _serve(row, ModelMove.Kind.ROLL_BACK, target, reason)
        data = {"model": target.reference if target else "", "generation": row.generation}
        event_emit(organisation=organisation, type=CHANGED, data=data)
    return row


def served_before() -> ModelVersion | None:
    """What scored before the present model, None for the shipped one. Who goes back twice does not come forth again.

    Call it inside `tenant()`. Raises Conflict.
    """
    served: list[ModelVersion | None] = [None]
    for one in ModelMove.objects.select_related("after").order_by("generation"):
        if one.kind == ModelMove.Kind.ROLL_BACK and one.after in served:
            del served[len(served) - served[::-1].index(one.after) :]
        else:
            served.append(one.after)
    if len(served) < 2:
        raise Conflict("there is nothing to go back to: the shipped model scores")
    return served[-2]


def _refuse_current(row: ModelInForce, version: ModelVersion) -> None:
    if row.current_id == version.pk:
        raise Conflict(f"version: {version.reference} scores already")


def _serve(
    row: ModelInForce,
    kind: ModelMove.Kind,
    version: ModelVersion | None,
    reason: str,
    request: ModelRequest | None = None,
) -> None:
    """Change the locked row, count the move, and write it down."""
    before, row.current = row.current, version
    row.generation += 1
    row.save()
    ModelMove.objects.create(
        organisation_id=row.organisation_id, generation=row.generation, kind=kind, before=before, after=version,
        moved_by=name_of(), reason=reason, request=request,
    )  # fmt: skip
    audit_record(
        organisation=row.organisation_id,
        action=f"fraud_model.{kind}",
        object_type="fraud_model",
        object_id=version.pk if version else "",
        data={
            "before": before.reference if before else "",
            "after": version.reference if version else "",
            "generation": row.generation,
        },
    )


def _open(request_id: UUID) -> ModelRequest:
    rows = ModelRequest.objects.select_for_update(of=("self",)).select_related("version")
    request = rows.filter(pk=request_id).first()
    if request is None:
        raise NotFound("no such request")
    if request.state != ModelRequest.State.OPEN:
        raise Conflict(f"the request is {request.state} already")
    return request


def _decide(request: ModelRequest, state: str, because: str) -> None:
    request.state, request.because = state, because.strip()
    request.decided_by, request.decided_at = name_of(), timezone.now()
    request.save(update_fields=["state", "because", "decided_by", "decided_at"])


def _tell(request: ModelRequest, done: str, event: str) -> None:
    """Into the trail, and to whoever subscribed."""
    data = {"model": request.version.reference, "request": str(request.pk)}
    organisation = request.organisation_id
    audit_record(
        organisation=organisation,
        action=f"fraud_model.{done}",
        object_type="fraud_model_request",
        object_id=request.pk,
        data={"model": request.version.reference},
    )
    event_emit(organisation=organisation, type=event, data=data)
