"""REST of the support vertical, at /api/v1/support."""

from typing import Any, Literal
from uuid import UUID

from django.http.response import HttpResponseBase
from ninja import Router, Status

from apps.support import selectors, services, streaming
from apps.support.evidence import CONVERSATION
from apps.support.models import Conversation, Turn
from apps.support.schemas import (
    ConversationDetail,
    ConversationIn,
    ConversationOut,
    DeskIn,
    DeskOut,
    MessageIn,
    MessageOut,
    StateOut,
    conversation_detail,
    conversation_out,
    desk_out,
    emotion_out,
    turn_out,
)
from rootstock.accounts.auth import ApiRequest, scope
from rootstock.audit.services import list_read_record, read_record
from rootstock.idempotency.marks import claims_first, effect_done
from rootstock.paging import Page, page_of
from rootstock.registry.resolving import TRY

router = Router(tags=["support"])


@router.get("/desk", response=DeskOut, auth=scope("support:read"))
def desk_show(request: ApiRequest) -> DeskOut:
    """The desk's settings."""
    return desk_out(services.desk_ensure(organisation=request.auth.organisation))


@router.patch("/desk", response=DeskOut, auth=scope("support:write"))
def desk_change(request: ApiRequest, body: DeskIn) -> DeskOut:
    """Change the desk's settings. An adapter that does not exist is refused."""
    changes = body.model_dump(exclude_unset=True, exclude_none=True)
    return desk_out(services.desk_update(organisation=request.auth.organisation, **changes))


@router.post("/conversations", response={201: ConversationDetail}, auth=scope("support:write"))
def conversation_create(request: ApiRequest, body: ConversationIn) -> Status[ConversationDetail]:
    """Open a conversation. Its first turn says that an AI answers, then the greeting."""
    organisation = request.auth.organisation
    started = services.conversation_start(
        organisation=organisation, subject=body.subject, customer=body.customer
    )
    return Status(201, conversation_detail(*selectors.conversation_get(organisation, started.pk)))


@router.get("/conversations", response=Page[ConversationOut], auth=scope("support:read"))
def conversation_list(
    request: ApiRequest,
    state: Literal["", "open", "closed"] = "",
    group: Literal["", "upset", "neutral", "positive"] = "",
    search: str = "",
    cursor: str | None = None,
    limit: int = 25,
) -> dict[str, Any]:
    """Conversations, newest first, filtered by state, last emotion group, and text in subject or customer."""
    wanted = selectors.ConversationFilter(state, group, search)
    rows, following = selectors.conversation_page(request.auth.organisation, wanted, cursor, limit)
    list_read_record(
        organisation=request.auth.organisation,
        subject_type=CONVERSATION,
        subject_ids=[row.pk for row in rows],
        what="conversations",
    )
    return page_of(rows, following, conversation_out)


@router.get("/conversations/{conversation_id}", response=ConversationDetail, auth=scope("support:read"))
def conversation_show(request: ApiRequest, conversation_id: UUID) -> ConversationDetail:
    """A conversation with its turns."""
    found = selectors.conversation_get(request.auth.organisation, conversation_id)
    _was_read(request, conversation_id)
    return conversation_detail(*found)


def _was_read(request: ApiRequest, conversation_id: UUID) -> None:
    read_record(
        organisation=request.auth.organisation,
        subject_type=CONVERSATION,
        subject_id=conversation_id,
        what="transcript",
    )


@router.post("/conversations/{conversation_id}/close", response=StateOut, auth=scope("support:write"))
def conversation_close(request: ApiRequest, conversation_id: UUID) -> Conversation:
    """Close a conversation; an answer in flight is stopped. What was said is read with `support:read`."""
    return services.conversation_close(
        organisation=request.auth.organisation, conversation_id=conversation_id
    )


@router.post(
    "/conversations/{conversation_id}/messages", response={201: MessageOut}, auth=scope("support:write")
)
@claims_first
def message_create(request: ApiRequest, conversation_id: UUID, body: MessageIn) -> Status[MessageOut]:
    """Say something. Returns the message's emotion at once; the answer streams from `stream_url`,
    or comes in `answer` when `stream` is false."""
    organisation = request.auth.organisation
    exchange = services.message_post(
        organisation=organisation, conversation_id=conversation_id, text=body.text, adapter=body.adapter,
        tries=TRY in request.auth.scopes,
    )  # fmt: skip
    effect_done(request)
    answer = None if body.stream else streaming.wait_for_answer(organisation, exchange.answer)
    return Status(
        201,
        MessageOut(
            message_id=exchange.message.pk,
            answer_id=exchange.answer.pk,
            emotion=emotion_out(exchange.message),
            adapter=exchange.answer.adapter,
            stream_url=f"/api/v1/support/conversations/{conversation_id}/messages/{exchange.answer.pk}/stream",
            answer=turn_out(answer) if answer else None,
        ),
    )


@router.get(
    "/conversations/{conversation_id}/messages/{message_id}/stream", auth=scope("support:read"), response=None
)
def message_stream(request: ApiRequest, conversation_id: UUID, message_id: UUID) -> HttpResponseBase:
    """The answer as server-sent events: `token` events with text, then one `done` with the stored turn.
    `Last-Event-ID` resumes after the event named."""
    organisation = request.auth.organisation
    answer = selectors.answer_get(organisation, conversation_id, message_id)
    _was_read(request, conversation_id)
    return streaming.answer_stream(organisation, answer, request.headers.get("Last-Event-ID", "0"))


@router.post(
    "/conversations/{conversation_id}/messages/{message_id}/cancel",
    response={202: StateOut},
    auth=scope("support:write"),
)
def message_cancel(request: ApiRequest, conversation_id: UUID, message_id: UUID) -> Status[Turn]:
    """Stop an answer. What was said so far is kept as a cancelled turn, which is read with `support:read`."""
    stopped = services.answer_stop(
        organisation=request.auth.organisation, conversation_id=conversation_id, message_id=message_id
    )
    return Status(202, stopped)
