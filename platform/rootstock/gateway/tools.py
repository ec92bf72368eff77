"""Tools in a conversation: told to the model as text, and its calls forced by a grammar into a form that can be read.

The text is the one that Qwen, Hermes and SmolLM2 were trained on: `<tool_call>{"name": …, "arguments": …}</tool_call>`.
"""

import json
from collections.abc import Sequence
from typing import Any

from rootstock.gateway.chat_schemas import ChatIn, NamedTool, ToolCallIn, ToolIn

OPENING, CLOSING = "<tool_call>\n", "\n</tool_call>"
BEFORE_NAME, BEFORE_ARGUMENTS = '{"name": "', '", "arguments": '
_NOT_TOLD: Any = {"strict": True, "function": {"strict"}}  # calls always follow their schema
_TELL = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{signatures}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""


def tools_offered(body: ChatIn) -> list[ToolIn]:
    """The tools that the model may call now."""
    if body.tool_choice == "none":
        return []
    named = body.tool_choice.function.name if isinstance(body.tool_choice, NamedTool) else None
    return [tool for tool in body.tools or () if named in (None, tool.function.name)]


def tools_told(tools: Sequence[ToolIn]) -> str:
    """What the model is told of them."""
    told = (tool.dict(exclude_none=True, exclude=_NOT_TOLD) for tool in tools)
    signatures = "\n".join(json.dumps(each, ensure_ascii=False) for each in told)
    return _TELL.format(signatures=signatures)


def call_told(call: ToolCallIn) -> str:
    """A call that the model made earlier, in its own words."""
    name = json.dumps(call.function.name)
    return f'{OPENING}{{"name": {name}, "arguments": {call.function.arguments or "{}"}}}{CLOSING}'


def result_told(content: str) -> str:
    """What a tool answered, in the form that the model knows."""
    return f"<tool_response>\n{content}\n</tool_response>"


def constraint_of(body: ChatIn, tools: Sequence[ToolIn]) -> dict[str, str] | None:
    """The engine's constraint for tools and response format together; None leaves the text free."""
    document = body.response_format.document() if body.response_format else None
    if not tools:
        return {"kind": "json_schema", "text": document} if document else None
    must = body.tool_choice == "required" or isinstance(body.tool_choice, NamedTool)
    several = body.parallel_tool_calls is not False and not isinstance(body.tool_choice, NamedTool)
    return {"kind": "lark", "text": grammar(tools, must=must, several=several, document=document)}


def grammar(tools: Sequence[ToolIn], *, must: bool, several: bool, document: str | None = None) -> str:
    """Lark, in llguidance's dialect. Without `must` the model may also say something, of the schema `document`."""
    calls = 'calls: call ("\\n" call)*' if several else "calls: call"
    lines = ["start: calls" if must else "start: calls | said", calls]
    if not must:
        free = "SAID: /(?s:.*)/ & ~/(?s:<tool_call>.*)/"
        lines += [f"said: %json {document}"] if document else ["said: SAID", free]
    lines.append("call: " + " | ".join(f"call_{index}" for index in range(len(tools))))
    for index, tool in enumerate(tools):
        before = f"{OPENING}{BEFORE_NAME}{tool.function.name}{BEFORE_ARGUMENTS}"
        lines.append(f"call_{index}: {_quoted(before)} arguments_{index} {_quoted('}' + CLOSING)}")
        lines.append(f"arguments_{index}: %json {json.dumps(_object(tool.function.parameters))}")
    return "\n".join(lines) + "\n"


def _object(parameters: dict[str, Any] | None) -> dict[str, Any]:
    """Arguments are an object, whatever the schema leaves open. Free white space a small model writes without end."""
    spacing = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
    return {**(parameters or {}), "type": "object", "x-guidance": spacing}


def _quoted(text: str) -> str:
    return json.dumps(text)
