"""The body of a chat: messages, tools, and the form of the answer."""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from rootstock.errors import InvalidInput
from rootstock.gateway.schemas import MOST_TOKENS, SamplingIn, Strict, Text

ToolName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class TextPart(Strict):
    """A part of a message; only text is read."""

    type: Literal["text"]
    text: Text


Content = Text | Annotated[list[TextPart], Field(max_length=1000)]


class FunctionCallIn(Strict):
    """A function and its arguments, as JSON."""

    name: ToolName
    arguments: Text


class ToolCallIn(Strict):
    """A call that the assistant made earlier."""

    id: Annotated[str, Field(max_length=100)]
    type: Literal["function"] = "function"
    function: FunctionCallIn


class PlainMessage(Strict):
    """What the application or the user said. `developer` is the same as `system`."""

    role: Literal["system", "developer", "user"]
    content: Content
    name: Annotated[str, Field(max_length=100)] | None = Field(None, description="Ignored")


class AssistantMessage(Strict):
    """What the model said, or which tools it called."""

    role: Literal["assistant"]
    content: Content | None = None
    tool_calls: Annotated[list[ToolCallIn], Field(max_length=128)] | None = None
    name: Annotated[str, Field(max_length=100)] | None = Field(None, description="Ignored")
    refusal: None = None
    audio: None = None
    function_call: None = None
    annotations: list[Any] | None = Field(None, description="Ignored")


class ToolMessage(Strict):
    """What a tool answered."""

    role: Literal["tool"]
    content: Content
    tool_call_id: Annotated[str, Field(max_length=100)]


ChatMessage = Annotated[PlainMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]


def _object(value: dict[str, Any] | None) -> dict[str, Any] | None:
    if value and value.get("type", "object") != "object":
        raise ValueError('must be the schema of an object: its "type" is "object"')
    return value


class FunctionIn(Strict):
    """A function that the model may call: its arguments are an object of the JSON schema `parameters`."""

    name: ToolName
    description: Annotated[str, Field(max_length=20_000)] | None = None
    parameters: Annotated[dict[str, Any] | None, AfterValidator(_object)] = None
    strict: bool | None = Field(None, description="Arguments always follow the schema")


class ToolIn(Strict):
    """A tool; functions alone are known."""

    type: Literal["function"]
    function: FunctionIn
    strict: bool | None = Field(None, description="Ignored: arguments always follow the schema")


class NamedFunction(Strict):
    """A function by its name."""

    name: ToolName


class NamedTool(Strict):
    """The tool that must be called."""

    type: Literal["function"]
    function: NamedFunction


class JsonSchemaIn(Strict):
    """A JSON schema that the answer follows."""

    name: ToolName
    description: Annotated[str, Field(max_length=20_000)] | None = None
    document: dict[str, Any] = Field(alias="schema")
    strict: bool | None = Field(None, description="The answer always follows the schema")


class ResponseFormat(Strict):
    """Text, any JSON object, or what a JSON schema says."""

    type: Literal["text", "json_object", "json_schema"]
    described: JsonSchemaIn | None = Field(None, alias="json_schema")

    def document(self) -> str | None:
        """The JSON schema of the answer; None for text."""
        if self.type == "text":
            return None
        return json.dumps(self.described.document if self.described else {"type": "object"})


class ChatIn(SamplingIn):
    """A conversation to be continued."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "model": "support-tone@a3f5a3f5a3f5",
                    "messages": [
                        {"role": "system", "content": "You answer for Acme's help desk."},
                        {"role": "user", "content": "Where is my parcel?"},
                    ],
                    "max_tokens": 200,
                    "temperature": 0.2,
                }
            ]
        },
    )
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=2000)]
    max_tokens: Annotated[int, Field(strict=True, ge=1, le=MOST_TOKENS)] | None = None
    max_completion_tokens: Annotated[int, Field(strict=True, ge=1, le=MOST_TOKENS)] | None = None
    logprobs: bool | None = False
    top_logprobs: Annotated[int, Field(strict=True, ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    tools: Annotated[list[ToolIn], Field(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = True
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = Field(
        None, description="Ignored: a base reasons as it was trained to"
    )
    verbosity: Literal["low", "medium", "high"] | None = Field(None, description="Ignored")
    modalities: Annotated[list[Literal["text"]], Field(max_length=1)] | None = Field(
        None, description="Text alone"
    )

    def check(self) -> None:
        """Raise InvalidInput for fields that do not go together."""
        super().check()
        names, wanted, form = (
            [tool.function.name for tool in self.tools or ()],
            self.tool_choice,
            self.response_format,
        )
        if len(set(names)) < len(names):
            raise InvalidInput.field("tools", "two functions have the same name")
        if isinstance(wanted, NamedTool) and wanted.function.name not in names:
            raise InvalidInput.field("tool_choice", "names none of tools")
        if wanted == "required" and not names:
            raise InvalidInput.field("tool_choice", "there are no tools to choose from")
        if form and (form.type == "json_schema") != (form.described is not None):
            raise InvalidInput.field("response_format.json_schema", "goes with the type json_schema alone")
        if self.constraint and (names or (form and form.type != "text")):
            raise InvalidInput.field("constraint", "cannot be given beside tools or response_format")
        if self.top_logprobs and not self.logprobs:
            raise InvalidInput.field("top_logprobs", "needs logprobs: true")

    def sampling(self) -> dict[str, Any]:
        """The engine's fields; without a limit an answer may fill the context."""
        limit = self.max_completion_tokens or self.max_tokens or MOST_TOKENS
        found = super().sampling() | {"max_tokens": limit}
        return found | ({"logprobs": self.top_logprobs or 0} if self.logprobs else {})
