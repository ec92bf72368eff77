"""What the OpenAI-compatible API answers."""

from typing import Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict as Json

FINISH = Literal["stop", "length", "tool_calls"]


class PromptDetails(Schema):
    """Of the prompt's tokens."""

    cached_tokens: int


class TokensUsed(Schema):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails


class FunctionCallOut(Schema):
    """A function that the model calls, with its arguments as JSON."""

    name: str
    arguments: str


class ToolCallOut(Schema):
    """A call, to be answered by a message of role `tool`."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCallOut


class MessageAnswer(Schema):
    """What the model says."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None
    tool_calls: list[ToolCallOut] | None = None


class TokenLikelihood(Schema):
    """A token and the natural logarithm of its probability."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLikelihoods(TokenLikelihood):
    """A token with the likeliest in its place."""

    top_logprobs: list[TokenLikelihood]


class ChatLikelihoods(Schema):
    """Of each token of the answer."""

    content: list[TokenLikelihoods]


class ChatChoice(Schema):
    """One candidate."""

    index: int
    message: MessageAnswer
    logprobs: ChatLikelihoods | None = None
    finish_reason: FINISH


class Answer(Schema):
    """What every answer says: `model` is the exact model, `system_fingerprint` the base beneath it."""

    id: str
    created: int
    model: str
    system_fingerprint: str


_USAGE: Json = {
    "prompt_tokens": 31,
    "completion_tokens": 9,
    "total_tokens": 40,
    "prompt_tokens_details": {"cached_tokens": 16},
}
_HEAD: Json = {
    "created": 1772438400,
    "model": "support-tone@a3f5a3f5a3f5",
    "system_fingerprint": "9c1b2f4e8a7d6c5b",
}


class ChatOut(Answer):
    """A finished answer."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "chatcmpl-01930b5e7c1a7d3e9f004a5b6c7d8e9f",
                    "object": "chat.completion",
                    **_HEAD,
                    "choices": [
                        {
                            "index": 0,
                            "message": {"role": "assistant", "content": "It is on its way."},
                            "finish_reason": "stop",
                        }
                    ],
                    "usage": _USAGE,
                }
            ]
        }
    )
    object: Literal["chat.completion"] = "chat.completion"
    choices: list[ChatChoice]
    usage: TokensUsed


class TextLikelihoods(Schema):
    """Of each token of a completion, beside one another."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class TextChoice(Schema):
    """One candidate."""

    index: int
    text: str
    logprobs: TextLikelihoods | None = None
    finish_reason: FINISH


class CompletionOut(Answer):
    """Finished completions, prompt by prompt."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "cmpl-01930b5e7c1a7d3e9f004a5b6c7d8e9f",
                    "object": "text_completion",
                    **_HEAD,
                    "choices": [{"index": 0, "text": " there was a fox.", "finish_reason": "stop"}],
                    "usage": _USAGE,
                }
            ]
        }
    )
    object: Literal["text_completion"] = "text_completion"
    choices: list[TextChoice]
    usage: TokensUsed


class EmbeddingOut(Schema):
    """A text's vector, of length 1: numbers, or base64 of little-endian float32."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(Schema):
    """Tokens read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsOut(Schema):
    """Vectors, in the order of the texts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "list",
                    "data": [{"object": "embedding", "index": 0, "embedding": [0.6, -0.8]}],
                    "model": "base",
                    "usage": {"prompt_tokens": 6, "total_tokens": 6},
                }
            ]
        }
    )
    object: Literal["list"] = "list"
    data: list[EmbeddingOut]
    model: str
    usage: EmbeddingUsage


class ModelOut(Schema):
    """A model that can be used here. `task` says for what, `parent` what it is an adapter of."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "support-tone@a3f5a3f5a3f5",
                    "object": "model",
                    "created": 1772438400,
                    "owned_by": "organisation",
                    "root": "smollm2-135m-instruct",
                    "parent": "base",
                    "task": "chat",
                    "aliases": ["support-tone"],
                }
            ]
        }
    )
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["rootstock", "organisation"]
    root: str = Field(description="The base's name")
    parent: str | None
    task: str
    aliases: list[str]


class ModelsOut(Schema):
    """The base and the organisation's adapters."""

    object: Literal["list"] = "list"
    data: list[ModelOut]


def usage_of(told: list[dict[str, Any]]) -> dict[str, Any]:
    """OpenAI's usage of calls together, from what their `done` events say."""
    prompt, written, cached = (
        sum(each[name] for each in told) for name in ("prompt", "completion", "cached")
    )
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
