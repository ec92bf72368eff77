"""REST: the lists."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Router, Schema, Status
from pydantic import ConfigDict, Field, StringConstraints

from apps.fraud.rules import entries
from apps.fraud.rules.lists import ALLOW, EFFECTS, KINDS
from apps.fraud.rules.models import ListEntry
from apps.fraud.schemas import Channel, Party
from rootstock.accounts.auth import ApiRequest, scope
from rootstock.audit.services import list_read_record, read_record
from rootstock.moments import Timestamp
from rootstock.paging import Page, page_of, refuse_empty, refuse_other

router = Router(tags=["fraud rules"])
READ, WRITE, DECIDE = "fraud:read", "fraud:rules", "fraud:approve"
SUBJECT = "list_entry"


class ListEntryIn(Schema):
    """Whom or what to put on a list: to `deny` declines its payments, to `allow` approves them whatever else is found,
    and rules can ask whether somebody is on the list to `watch`. An entry to allow has to end."""

    model_config = ConfigDict(extra="forbid")
    effect: Literal["deny", "allow", "watch"]
    kind: Literal["payer", "payee", "device", "merchant", "pair"]
    value: Party = Field(description="As payments name it; of a pair the payer", examples=["DE-1"])
    other: Party | None = Field(None, description="Of a pair the payee", examples=["DE-2"])
    channel: Channel | None = Field(None, description="For payments of this channel alone")
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
    expires_at: Timestamp | None = Field(
        None, description="From when on it no longer counts, by the clock of the payments"
    )


class ListEntryOut(Schema):
    """An entry. It counts until `expires_at` or until somebody ended it."""

    id: UUID
    effect: str = Field(examples=["deny"])
    kind: str = Field(examples=["payee"])
    value: str = Field(examples=["DE-1"])
    other: str | None = Field(examples=["DE-2"])
    channel: str | None
    reason: str
    expires_at: datetime | None
    added_by: str = Field(examples=["person:7"])
    created_at: datetime
    ended_by: str | None = Field(examples=["person:9"])
    ended_at: datetime | None


def entry_out(row: ListEntry) -> ListEntryOut:
    """An entry as it is told."""
    told: dict[str, Any] = {name: getattr(row, name) for name in ListEntryOut.model_fields}
    return ListEntryOut(**told | {"channel": row.channel or None, "ended_by": row.ended_by or None})


@router.post("", response={201: ListEntryOut}, auth=scope(WRITE))
def add_entry(request: ApiRequest, payload: ListEntryIn) -> Status[ListEntryOut]:
    """Put somebody or something on a list, from the next second on. To allow needs fraud:approve as well."""
    if payload.effect == ALLOW:
        request.auth.require(DECIDE)
    given = payload.model_dump() | {"channel": payload.channel or ""}
    row = entries.entry_add(organisation=request.auth.organisation, given=entries.NewEntry(**given))
    return Status(201, entry_out(row))


@router.get("", response=Page[ListEntryOut], auth=scope(READ))
def list_entries(
    request: ApiRequest,
    effect: str | None = None,
    kind: str | None = None,
    value: str | None = None,
    ended: bool = False,
    cursor: str | None = None,
    limit: int = 50,
) -> dict[str, Any]:
    """Entries, newest first; with `ended` those that have, or have expired.

    `value` finds an account, device or merchant exactly.
    """
    refuse_empty(effect=effect, kind=kind, value=value)
    refuse_other("effect", effect, EFFECTS)
    refuse_other("kind", kind, KINDS)
    rows, following = entries.entries_page(
        organisation=request.auth.organisation, effect=effect or "", kind=kind or "", value=value or "",
        ended=ended, cursor=cursor, limit=limit,
    )  # fmt: skip
    list_read_record(
        organisation=request.auth.organisation,
        subject_type=SUBJECT,
        subject_ids=[row.pk for row in rows],
        what="entries",
    )
    return page_of(rows, following, entry_out)


@router.get("/{uuid:entry_id}", response=ListEntryOut, auth=scope(READ))
def get_entry(request: ApiRequest, entry_id: UUID) -> ListEntryOut:
    """One entry."""
    row = entries.entry_get(organisation=request.auth.organisation, entry_id=entry_id)
    read_record(organisation=request.auth.organisation, subject_type=SUBJECT, subject_id=row.pk, what="entry")
    return entry_out(row)


@router.post("/{uuid:entry_id}/end", response=ListEntryOut, auth=scope(WRITE))
def end_entry(request: ApiRequest, entry_id: UUID) -> ListEntryOut:
    """Take an entry off its list, from the next second on."""
    return entry_out(entries.entry_end(organisation=request.auth.organisation, entry_id=entry_id))
