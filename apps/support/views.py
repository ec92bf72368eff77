"""Pages of the support desk."""

from uuid import UUID

from django.http import HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from apps.support import charting, selectors, services
from apps.support.evidence import CONVERSATION
from apps.support.forms import NewConversation
from apps.support.models import TEXT_LIMIT, Conversation, Turn
from apps.support.tables import conversations_table
from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.roles import ROLE_SCOPES
from rootstock.accounts.views.common import scopes_of
from rootstock.audit.services import read_record
from rootstock.console.emotions import GROUP_TONES
from rootstock.console.tables import table_page
from rootstock.registry.resolving import TRY

READ, WRITE = "support:read", "support:write"


@tenant_page(READ)
def conversation_list(request: PageRequest) -> HttpResponseBase:
    """All conversations, newest first."""
    return table_page(
        request,
        conversations_table(request.organisation),
        Conversation.objects.all(),
        "support/conversation_list.html",
    )


@tenant_page(WRITE)
def conversation_new(request: PageRequest) -> HttpResponse:
    """Start a conversation."""
    form = NewConversation(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        started = services.conversation_start(organisation=request.organisation, **form.cleaned_data)
        return redirect("support:conversation", started.pk)
    return render(request, "support/conversation_new.html", {"form": form})


@tenant_page(READ)
def conversation_page(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """One conversation: transcript, composer and the emotions of its turns."""
    conversation, turns = selectors.conversation_get(request.organisation, conversation_id)
    read_record(
        organisation=request.organisation,
        subject_type=CONVERSATION,
        subject_id=conversation_id,
        what="transcript",
    )
    pending = next((turn for turn in turns if turn.state == Turn.State.PENDING and turn.stream_id), None)
    context = {
        "conversation": conversation,
        "turns": [
            (turn, GROUP_TONES.get(turn.emotion_group, "neutral"))
            for turn in turns
            if turn.state != "pending"
        ],
        "pending_stream": _stream_url(pending) if pending else "",
        "pending_cancel": _cancel_url(pending) if pending else "",
        "chart": charting.emotion_chart(turns),
        "trend": charting.trend(conversation),
        "text_limit": TEXT_LIMIT,
        "writable": conversation.state == Conversation.State.OPEN
        and WRITE in ROLE_SCOPES[request.membership.role],
    }
    return render(request, "support/conversation.html", context)


@tenant_page(READ)
def conversation_emotions(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """The part of the page that changes with every turn."""
    conversation, turns = selectors.conversation_get(request.organisation, conversation_id)
    context = {
        "conversation": conversation,
        "chart": charting.emotion_chart(turns),
        "trend": charting.trend(conversation),
    }
    return render(request, "support/emotions.html", context)


@require_POST
@tenant_page(WRITE)
def message_post(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """The composer: where the answer streams from, and where it is stopped."""
    exchange = services.message_post(
        organisation=request.organisation,
        conversation_id=conversation_id,
        text=request.POST.get("text", ""),
        adapter=request.POST.get("adapter", ""),
        tries=TRY in scopes_of(request),
    )
    return JsonResponse(
        {
            "turn": str(exchange.message.pk),
            "stream": _stream_url(exchange.answer),
            "cancel": _cancel_url(exchange.answer),
        }
    )


@require_POST
@tenant_page(WRITE)
def conversation_close(request: PageRequest, conversation_id: UUID) -> HttpResponse:
    """Close the conversation."""
    services.conversation_close(organisation=request.organisation, conversation_id=conversation_id)
    return redirect("support:conversation", conversation_id)


def _message_url(answer: Turn) -> str:
    return f"/api/v1/support/conversations/{answer.conversation_id}/messages/{answer.pk}"


def _stream_url(answer: Turn) -> str:
    return f"{_message_url(answer)}/stream"


def _cancel_url(answer: Turn) -> str:
    return f"{_message_url(answer)}/cancel"
