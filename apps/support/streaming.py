"""An answer on its way to the client."""

import json
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from apps.support import selectors, services
from apps.support.models import Turn
from apps.support.schemas import turn_out
from rootstock.accounts.models import Organisation
from rootstock.console.emotions import GROUP_TONES
from rootstock.errors import DeadlineExceeded, NotFound, from_dict
from rootstock.lanes import client as lane_client
from rootstock.lanes import streams, wire


def answer_stream(organisation: Organisation, answer: Turn, last_event_id: str) -> HttpResponseBase:
    """Server-sent events of an answer: live, replayed while the stream is kept, and afterwards from the database."""
    if answer.stream_id:
        if _is_end(answer.stream_id, last_event_id):
            return HttpResponse(status=204)  # tells an EventSource that there is nothing to reconnect for
        if answer.state != Turn.State.PENDING and streams.is_abandoned(answer.stream_id):
            return _stored(answer)  # its worker died: no final event will come
        try:
            return streams.sse_response(
                answer.stream_id, organisation=organisation, last_event_id=last_event_id
            )
        except NotFound:
            pass  # the stream is kept for minutes only; the stored turn is for good
    return _stored(answer)


def wait_for_answer(organisation: Organisation, answer: Turn) -> Turn:
    """The finished answer. The handler's error is raised; so is DeadlineExceeded when the worker died."""
    streams.release_connection()
    for event in streams.read_stream(answer.stream_id, organisation=organisation):
        if event is not None and event.type == "error":
            raise from_dict(event.data)
        if event is None and answer.deadline_at and timezone.now() > answer.deadline_at:
            services.answers_expire(organisation=organisation, conversation_id=answer.conversation_id)
            raise DeadlineExceeded("the answer was not finished in time")
    return selectors.answer_get(organisation, answer.conversation_id, answer.pk)


def done_data(answer: Turn) -> dict[str, Any]:
    """What the last event of a stream says: the stored turn."""
    data: dict[str, Any] = json.loads(turn_out(answer).model_dump_json())
    return data


def emotion_data(message: Turn) -> dict[str, Any]:
    """What the first event of a stream says: the reading of the turn that is answered, with a tone for its chip."""
    return {
        "turn": str(message.pk),
        "label": message.emotion_label,
        "group": message.emotion_group,
        "level": message.emotion_level,
        "tone": GROUP_TONES.get(message.emotion_group, "neutral"),
    }


def _is_end(stream_id: str, event_id: str) -> bool:
    """Whether this event is the final one. The turn's state cannot tell: it is stored before `done` is sent."""
    [newest] = lane_client.connection().xrevrange(wire.stream_key(stream_id), count=1) or [(b"", {})]
    return newest[0].decode() == event_id and newest[1][b"type"].decode() in streams.FINAL_TYPES


def _stored(answer: Turn) -> HttpResponse:
    frame = f"event: done\ndata: {json.dumps(done_data(answer))}\n\n"
    return HttpResponse(frame, content_type="text/event-stream")
