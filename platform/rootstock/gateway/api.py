"""The OpenAI-compatible API, at /v1."""

import base64
import struct
from typing import Any

from django.http import StreamingHttpResponse
from ninja import Router

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.errors import InvalidInput
from rootstock.gateway import conversation, services
from rootstock.gateway.answers import ChatOut, CompletionOut, EmbeddingsOut, ModelOut, ModelsOut, usage_of
from rootstock.gateway.chat_schemas import ChatIn
from rootstock.gateway.relay import Gathered, all_gathered, streamed
from rootstock.gateway.schemas import CompletionIn, EmbeddingIn, SamplingIn
from rootstock.gateway.served import Served, model_find, models_list
from rootstock.gateway.services import Generation
from rootstock.gateway.shapes import ChatShape, Head, TextShape, beside, finish_of
from rootstock.gateway.tool_reader import Arguments, Called, Said, ToolReader
from rootstock.gateway.tools import tools_offered
from rootstock.idempotency.marks import claims_first
from rootstock.lanes.streams import release_connection
from rootstock.registry.resolving import TRY

router = Router(tags=["models"])
_STREAMED = {
    "responses": {
        200: {
            "content": {
                "text/event-stream": {"schema": {"type": "string"}, "example": 'data: {"choices": […]}\n\n'}
            }
        }
    }
}


@router.post("/chat/completions", response=ChatOut, auth=scope("models:use"), openapi_extra=_STREAMED)
@claims_first
def chat_complete(request: ApiRequest, body: ChatIn) -> Any:
    """Continue a conversation. With `stream` the answer comes as server-sent events as it is written, and is given
    up when the client leaves. Tools, `response_format` and `constraint` hold always: the answer is forced into
    their form while it is written. Nothing of prompt or answer is stored."""
    body.check()
    model = _model_of(request, body, "chat")
    messages, sampling = conversation.messages_of(body), conversation.sampling_of(body)
    wanted = Generation(model, messages, sampling, body.priority, conversation.fields_of(body))
    events, head, has_tools = (
        _opened(request, [wanted]),
        Head(model, wanted.call, "chatcmpl"),
        bool(tools_offered(body)),
    )
    if body.stream:
        return _streamed(events, ChatShape(head, reads_calls=has_tools), body)
    [(candidates, used)] = all_gathered(events)
    choices = [_chat_choice(at, each, has_tools) for at, each in enumerate(candidates)]
    return {**head.fields, "choices": choices, "usage": usage_of([used])}


@router.post("/completions", response=CompletionOut, auth=scope("models:use"), openapi_extra=_STREAMED)
@claims_first
def text_complete(request: ApiRequest, body: CompletionIn) -> Any:
    """Write on from a text, or from each of several. The text goes to the model as it is, without a chat's roles."""
    body.check()
    model = _model_of(request, body, "chat")
    wanted = [Generation(model, prompt, body.sampling(), body.priority) for prompt in body.prompts()]
    events, head = _opened(request, wanted), Head(model, wanted[0].call, "cmpl")
    if body.stream:
        return _streamed(events, TextShape(head), body)
    found = all_gathered(events)
    everything = [candidate for candidates, _ in found for candidate in candidates]
    choices = [_text_choice(at, each) for at, each in enumerate(everything)]
    return {**head.fields, "choices": choices, "usage": usage_of([used for _, used in found])}


@router.post("/embeddings", response=EmbeddingsOut, auth=scope("models:use"))
@claims_first
def embeddings_create(request: ApiRequest, body: EmbeddingIn) -> dict[str, Any]:
    """Read texts, of at most 2048 tokens each, into vectors of length 1."""
    organisation = request.auth.organisation
    model = _model_of(request, body)
    if body.dimensions not in (None, model.size):
        raise InvalidInput.field("dimensions", f"vectors here have {model.size}; they are not shortened")
    texts = services.Texts(body.texts(), body.priority, is_list=isinstance(body.input, list))
    made = services.embeddings_make(
        organisation=organisation, actor=request.auth.actor, model=model, texts=texts
    )
    data = [
        {"index": at, "embedding": _spelled(vector, body.encoding_format)}
        for at, vector in enumerate(made.vectors)
    ]
    usage = {"prompt_tokens": made.tokens, "total_tokens": made.tokens}
    return {"data": data, "model": model.id, "usage": usage}


@router.get("/models", response=ModelsOut, auth=scope("models:use"))
def list_served(request: ApiRequest) -> dict[str, Any]:
    """What `model` may name: the base, and the organisation's adapters on it. Those whose `task` is not `chat` are
    not for writing."""
    return {"data": [_model(each) for each in models_list(request.auth.organisation, tries=_tries(request))]}


@router.get("/models/{model}", response=ModelOut, auth=scope("models:use"))
def get_served(request: ApiRequest, model: str) -> dict[str, Any]:
    """One model. Of a name without a digest the answer says which version it means."""
    return _model(model_find(request.auth.organisation, model, tries=_tries(request)))


def _model_of(
    request: ApiRequest, body: ChatIn | CompletionIn | EmbeddingIn, task: str | None = None
) -> Served:
    organisation, tries = request.auth.organisation, _tries(request)
    return model_find(organisation, body.model, task, body.user or "", tries=tries)


def _tries(request: ApiRequest) -> bool:
    """Whoever makes adapters may try them before they are agreed on."""
    return TRY in request.auth.scopes


def _opened(request: ApiRequest, wanted: list[Generation]) -> list[services.GenerationEvents]:
    organisation = request.auth.organisation
    opened = services.generations_open(organisation=organisation, actor=request.auth.actor, wanted=wanted)
    release_connection()
    return [services.GenerationEvents(organisation=organisation, stream=stream) for stream in opened]


def _streamed(
    events: list[services.GenerationEvents], shape: ChatShape | TextShape, body: SamplingIn
) -> StreamingHttpResponse:
    tells_usage = body.stream_options is not None and body.stream_options.include_usage
    return streamed(events, shape, body.n or 1, tells_usage=tells_usage)


def _chat_choice(index: int, found: Gathered, reads_calls: bool) -> dict[str, Any]:
    choice = {"index": index, "message": {"content": found.text}, "finish_reason": found.reason}
    if reads_calls:
        reader = ToolReader()
        pieces = [*reader.push(found.text), *reader.end(found.reason)]
        said = "".join(piece.text for piece in pieces if isinstance(piece, Said))
        calls = [
            {"id": piece.id, "function": {"name": piece.name, "arguments": _arguments(pieces, piece.index)}}
            for piece in pieces
            if isinstance(piece, Called)
        ]
        choice["message"] = {"content": said or None, "tool_calls": calls or None}
        choice["finish_reason"] = finish_of(found.reason, reader)
    return choice | ({"logprobs": {"content": found.likelihoods}} if found.likelihoods else {})


def _arguments(pieces: list[Said | Called | Arguments], index: int) -> str:
    return "".join(each.text for each in pieces if isinstance(each, Arguments) and each.index == index)


def _text_choice(index: int, found: Gathered) -> dict[str, Any]:
    told = beside(found.likelihoods, 0) if found.likelihoods else None
    return {"index": index, "text": found.text, "finish_reason": found.reason, "logprobs": told}


def _spelled(vector: bytes, encoding: str) -> str | list[float]:
    if encoding == "base64":
        return base64.b64encode(vector).decode()
    return list(struct.unpack(f"<{len(vector) // 4}f", vector))


def _model(found: Served) -> dict[str, Any]:
    return {
        "id": found.id,
        "created": found.created,
        "owned_by": "rootstock" if found.parent is None else "organisation",
        "root": found.root,
        "parent": found.parent,
        "task": found.task,
        "aliases": list(found.aliases),
    }
