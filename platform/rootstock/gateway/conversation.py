"""What the engine is given of a request: plain messages, and how to sample."""

from collections.abc import Sequence
from typing import Any

from rootstock.errors import InvalidInput
from rootstock.gateway.chat_schemas import AssistantMessage, ChatIn, TextPart, ToolMessage
from rootstock.gateway.schemas import MOST_CHARACTERS
from rootstock.gateway.tools import call_told, constraint_of, result_told, tools_offered, tools_told

Plain = dict[str, str]


def messages_of(body: ChatIn) -> list[Plain]:
    """The conversation as roles and texts: `system`, `user`, `assistant` are what every template knows."""
    plain: list[Plain] = []
    for message in body.messages:
        if isinstance(message, ToolMessage):
            _add_result(plain, result_told(_text(message.content)))
        elif isinstance(message, AssistantMessage):
            calls = [call_told(call) for call in message.tool_calls or ()]
            plain.append(
                {"role": "assistant", "content": "\n".join(filter(None, [_text(message.content), *calls]))}
            )
        else:
            role = "user" if message.role == "user" else "system"
            plain.append({"role": role, "content": _text(message.content)})
    if tools := tools_offered(body):
        _add_to_system(plain, tools_told(tools))
    if sum(len(message["content"]) for message in plain) > MOST_CHARACTERS:
        raise InvalidInput.field("messages", f"are longer than {MOST_CHARACTERS} characters together")
    return plain


def sampling_of(body: ChatIn) -> dict[str, Any]:
    """The engine's sampling, with the constraint that tools or the response format ask for."""
    constraint = constraint_of(body, tools_offered(body))
    return body.sampling() | ({"constraint": constraint} if constraint else {})


def fields_of(body: ChatIn) -> dict[str, str]:
    """What the caller calls the prompt and the constraint."""
    if tools_offered(body):
        return {"prompt": "messages", "constraint": "tools"}
    return {"prompt": "messages", "constraint": "constraint" if body.constraint else "response_format"}


def _text(content: str | Sequence[TextPart] | None) -> str:
    return content if isinstance(content, str) else "\n".join(part.text for part in content or ())


def _add_result(plain: list[Plain], told: str) -> None:
    """Results of several calls are one turn of the user's side."""
    if plain and plain[-1]["role"] == "user" and plain[-1]["content"].startswith("<tool_response>"):
        plain[-1]["content"] += f"\n{told}"
    else:
        plain.append({"role": "user", "content": told})


def _add_to_system(plain: list[Plain], told: str) -> None:
    if plain and plain[0]["role"] == "system":
        plain[0]["content"] += f"\n\n{told}"
    else:
        plain.insert(0, {"role": "system", "content": told})
