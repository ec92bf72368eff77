"""What is in force is changed by two people, and taken back by one, at once: two had agreed on what it was."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.fraud.four_eyes.models import InForce, Request
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, NotFound
from rootstock.paging import take_page
from rootstock.privacy.persons import check_two_persons, name_of, person_behind
from rootstock.registry.aliases import reason_given
from rootstock.webhooks.services import event_emit

R = TypeVar("R", bound=Request)
F = TypeVar("F", bound=InForce)
T = TypeVar("T")


@dataclass(slots=True, frozen=True)
class FourEyes(Generic[R, F]):
    """Agreement on one kind of thing. `numbered`, `locked` and `serve` are called inside `tenant()`."""

    name: str
    """Of what is asked for, in events: `model` or `rules`."""
    thing: str
    """The same in the trail."""
    serving: str
    """What a version in force does: `scores`."""
    requests: type[R]
    numbered: Callable[[int], Any]
    """A version. Raises NotFound."""
    locked: Callable[[Organisation], F]
    """What is in force, until the transaction commits nobody else's."""
    serve: Callable[[F, Any, str, R | None], None]
    """Put a version into the locked row for a reason, agreed to in a request; without one it is a roll-back."""

    def request_make(self, *, organisation: Organisation, version: int, reason: str) -> R:
        """Ask that a version comes into force; a second person decides. Raises NotFound and Conflict."""
        with tenant(organisation) as owner:
            wanted = self.numbered(version)
            self._refuse_current(self.locked(organisation), wanted)
            request = self.requests(
                organisation_id=owner, version=wanted, reason=reason, requested_by=name_of(),
                person=person_behind(name_of()),
            )  # fmt: skip
            try:
                with transaction.atomic():
                    request.save(force_insert=True)
            except IntegrityError:
                raise Conflict("there is an open request already; decide on it first") from None
            self._tell(request, "requested", "requested")
        return request

    def request_get(self, *, organisation: Organisation, request_id: UUID) -> R:
        """A request. Raises NotFound."""
        with tenant(organisation):
            row = self.requests._default_manager.select_related("version").filter(pk=request_id).first()
        if row is None:
            raise NotFound("no such request")
        return row

    def requests_page(
        self, *, organisation: Organisation, state: str = "", cursor: str | None = None, limit: int = 50
    ) -> tuple[list[R], str | None]:
        """Requests, newest first."""
        with tenant(organisation):
            rows = self.requests._default_manager.select_related("version")
            return take_page(rows.filter(state=state) if state else rows, cursor=cursor, limit=limit)

    def request_approve(self, *, organisation: Organisation, request_id: UUID, because: str = "") -> F:
        """Agree, as somebody else than who asked: the version is in force with the same transaction.

        Raises Forbidden for who asked, Conflict for a request that is decided on.
        """
        with tenant(organisation):
            request = self._open(request_id)
            check_two_persons(request.person, name_of())
            row = self.locked(organisation)
            self._refuse_current(row, request.version)
            self._decide(request, Request.State.APPROVED, because)
            self.serve(row, request.version, request.reason, request)
            self._tell(request, "approved", "changed")
        return row

    def request_refuse(self, *, organisation: Organisation, request_id: UUID, because: str) -> R:
        """Do not agree. Whoever asked withdraws it so."""
        with tenant(organisation):
            request = self._open(request_id)
            own = request.person == person_behind(name_of())
            state = Request.State.WITHDRAWN if own else Request.State.REFUSED
            self._decide(request, state, reason_given(because))
            self._tell(request, str(state), "refused")
        return request

    def roll_back(
        self,
        *,
        organisation: Organisation,
        reason: str,
        generation: int | None,
        earlier: Callable[[F], Any],
    ) -> F:
        """Back to the version that `earlier` finds, by one person.

        Raises Conflict when the generation is another than was seen.
        """
        with tenant(organisation):
            row = self.locked(organisation)
            if generation not in (None, row.generation):
                raise Conflict(f"generation: it is {row.generation} meanwhile, not {generation}: look again")
            version = earlier(row)
            self.serve(row, version, reason, None)
            data = {self.name: version.reference if version else "", "generation": row.generation}
            event_emit(organisation=organisation, type=f"fraud.{self.name}_changed", data=data)
        return row

    def moved(self, row: F, kind: str, before: Any, after: Any) -> None:
        """Store the changed row, counting the move, and put it into the trail."""
        row.generation += 1
        row.save()
        audit_record(
            organisation=row.organisation_id,
            action=f"{self.thing}.{kind}",
            object_type=self.thing,
            object_id=after.pk if after else "",
            data={
                "before": before.reference if before else "",
                "after": after.reference if after else "",
                "generation": row.generation,
            },
        )

    def _refuse_current(self, row: F, version: Any) -> None:
        if row.current == version:
            raise Conflict(f"version: {version.reference} {self.serving} already")

    def _open(self, request_id: UUID) -> R:
        rows = self.requests._default_manager.select_for_update(of=("self",)).select_related("version")
        request = rows.filter(pk=request_id).first()
        if request is None:
            raise NotFound("no such request")
        if request.state != Request.State.OPEN:
            raise Conflict(f"the request is {request.state} already")
        return request

    def _decide(self, request: R, state: str, because: str) -> None:
        request.state, request.because = state, because.strip()
        request.decided_by, request.decided_at = name_of(), timezone.now()
        request.save(update_fields=["state", "because", "decided_by", "decided_at"])

    def _tell(self, request: R, done: str, event: str) -> None:
        """Into the trail, and to whoever subscribed."""
        data = {self.name: request.version.reference}
        organisation = request.organisation_id
        audit_record(
            organisation=organisation,
            action=f"{self.thing}.{done}",
            object_type=f"{self.thing}_request",
            object_id=request.pk,
            data=data,
        )
        data |= {"request": str(request.pk)}
        event_emit(organisation=organisation, type=f"fraud.{self.name}_{event}", data=data)


def served_before(first: T, moves: Iterable[tuple[bool, T]], otherwise: str) -> T:
    """What was in force before the present version: `first`, then what each move, in order a roll-back or not, led to.

    Who goes back twice does not come forth again. Raises Conflict, saying `otherwise`.
    """
    served = [first]
    for back, after in moves:
        if back and after in served:
            del served[len(served) - served[::-1].index(after) :]
        else:
            served.append(after)
    if len(served) < 2:
        raise Conflict(otherwise)
    return served[-2]
