"""REST of the support vertical, at /api/v1/support."""

from typing import Literal
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router

from apps.support import selectors, services, streaming
from apps.support.schemas import (
    ConversationDetail,
    ConversationIn,
    ConversationList,
    DeskIn,
    DeskOut,
    MessageIn,
    MessageOut,
    TurnOut,
    conversation_detail,
    conversation_out,
    desk_out,
    emotion_out,
    turn_out,
)
from rootstock.accounts.auth import scope

router = Router(tags=["support"])


@router.get("/desk", response=DeskOut, auth=scope("support:read"))
def desk_show(request: HttpRequest) -> DeskOut:
    """The desk's settings."""
    return desk_out(services.desk_ensure(organisation=request.auth.organisation))


@router.patch("/desk", response=DeskOut, auth=scope("support:write"))
def desk_change(request: HttpRequest, body: DeskIn) -> DeskOut:
    """Change the desk's settings. An adapter that does not exist is refused."""
    changes = body.model_dump(exclude_unset=True, exclude_none=True)
    return desk_out(services.desk_update(organisation=request.auth.organisation, **changes))


@router.post("/conversations", response={201: ConversationDetail}, auth=scope("support:write"))
def conversation_create(request: HttpRequest, body: ConversationIn) -> tuple[int, ConversationDetail]:
    """Open a conversation. Its first turn is the greeting, which says that an AI answers."""
    organisation = request.auth.organisation
    started = services.conversation_start(
        organisation=organisation, subject=body.subject, customer=body.customer
    )
    return 201, conversation_detail(*selectors.conversation_get(organisation, started.pk))


@router.get("/conversations", response=ConversationList, auth=scope("support:read"))
def conversation_list(
    request: HttpRequest,
    state: Literal["", "open", "closed"] = "",
    group: Literal["", "upset", "neutral", "positive"] = "",
    search: str = "",
    cursor: UUID | None = None,
    limit: int = 25,
) -> ConversationList:
    """Conversations, newest first, filtered by state, last emotion group, and text in subject or customer."""
    wanted = selectors.ConversationFilter(state, group, search)
    page = selectors.conversation_page(request.auth.organisation, wanted, cursor, limit)
    return ConversationList(items=[conversation_out(item) for item in page.items], next_cursor=page.cursor)


@router.get("/conversations/{conversation_id}", response=ConversationDetail, auth=scope("support:read"))
def conversation_show(request: HttpRequest, conversation_id: UUID) -> ConversationDetail:
    """A conversation with its turns."""
    return conversation_detail(*selectors.conversation_get(request.auth.organisation, conversation_id))


@router.post("/conversations/{conversation_id}/close", response=ConversationDetail, auth=scope("support:write"))
def conversation_close(request: HttpRequest, conversation_id: UUID) -> ConversationDetail:
    """Close a conversation; an answer in flight is stopped."""
    organisation = request.auth.organisation
    services.conversation_close(organisation=organisation, conversation_id=conversation_id)
    return conversation_detail(*selectors.conversation_get(organisation, conversation_id))


@router.post("/conversations/{conversation_id}/messages", response={201: MessageOut}, auth=scope("support:write"))
def message_create(request: HttpRequest, conversation_id: UUID, body: MessageIn) -> tuple[int, MessageOut]:
    """Say something. Returns the message's emotion at once; the answer streams from `stream_url`,
    or comes in `answer` when `stream` is false."""
    organisation = request.auth.organisation
    exchange = services.message_post(
        organisation=organisation, conversation_id=conversation_id, text=body.text, adapter=body.adapter
    )
    answer = None if body.stream else streaming.wait_for_answer(organisation, exchange.answer)
    emotion = emotion_out(exchange.message)
    return 201, MessageOut(
        message_id=exchange.message.pk,
        answer_id=exchange.answer.pk,
        emotion=emotion,
        adapter=exchange.answer.adapter,
        stream_url=f"/api/v1/support/conversations/{conversation_id}/messages/{exchange.answer.pk}/stream",
        answer=turn_out(answer) if answer else None,
    )


@router.get(
    "/conversations/{conversation_id}/messages/{message_id}/stream", auth=scope("support:read"), response=None
)
def message_stream(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> StreamingHttpResponse:
    """The answer as server-sent events: `token` events with text, then one `done` with the stored turn.
    `Last-Event-ID` resumes after the event named."""
    organisation = request.auth.organisation
    answer = selectors.answer_get(organisation, conversation_id, message_id)
    return streaming.answer_stream(organisation, answer, request.headers.get("Last-Event-ID", "0"))


@router.post(
    "/conversations/{conversation_id}/messages/{message_id}/cancel",
    response={202: TurnOut},
    auth=scope("support:write"),
)
def message_cancel(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> tuple[int, TurnOut]:
    """Stop an answer. What was said so far is kept as a cancelled turn."""
    stopped = services.answer_stop(
        organisation=request.auth.organisation, conversation_id=conversation_id, message_id=message_id
    )
    return 202, turn_out(stopped)
