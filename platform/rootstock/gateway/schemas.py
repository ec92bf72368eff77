"""Bodies of the OpenAI-compatible API. A field that is not here is refused by its name."""

import json
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import AfterValidator, ConfigDict, Field

from rootstock.errors import InvalidInput

MOST_CHARACTERS = 1_000_000
MOST_PROMPTS, MOST_TEXTS = 16, 512
MOST_READ = 200_000  # characters of texts for vectors: what can be read before their deadline
MOST_TOKENS = 1_000_000
MOST_TOLD = 200_000  # tokens of prompts that are given as tokens
Token = Annotated[int, Field(strict=True, ge=0, lt=2**31)]
Text = Annotated[str, Field(max_length=MOST_CHARACTERS)]
Stop = Annotated[str, Field(min_length=1, max_length=200)]
ToolName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


def _bias(value: dict[str, float]) -> dict[str, float]:
    for token, bias in value.items():
        if not (token.isdecimal() and len(token) < 10) or not -100 <= bias <= 100:
            raise ValueError("must map ids of tokens to numbers from -100 to 100")
    return value


class Strict(Schema):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Harmless(Strict):
    """What official clients send and nothing here follows from. None of it is kept."""

    user: str | None = Field(None, description="Ignored: the key says who calls")
    safety_identifier: str | None = Field(None, description="Ignored")
    metadata: dict[str, Any] | None = Field(None, description="Ignored")
    prompt_cache_key: str | None = Field(None, description="Ignored: prefixes are shared by content")
    service_tier: Literal["auto", "default"] | None = Field(None, description="Ignored; see `priority`")
    store: Literal[False] | None = Field(None, description="Nothing is stored")


class ConstraintIn(Strict):
    """What an answer must be: a match of a regular expression, or a sentence of a Lark grammar (llguidance)."""

    kind: Literal["regex", "lark"]
    text: Annotated[str, Field(min_length=1, max_length=100_000)]


class StreamOptions(Strict):
    """Of a streamed answer."""

    include_usage: bool = False


class SamplingIn(Harmless):
    """How tokens are chosen; beyond OpenAI's: top_k, min_p, repetition_penalty, beams, constraint, priority."""

    model: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="`base`, an adapter as `name@digest`, or its name while that means exactly one"
    )
    temperature: Annotated[float, Field(strict=True, ge=0, le=2)] | None = Field(
        None, description="1 unless given; beams take none"
    )
    top_p: Annotated[float, Field(strict=True, gt=0, le=1)] | None = 1.0
    n: Annotated[int, Field(strict=True, ge=1, le=16)] | None = 1
    seed: Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=16)] | None = None
    presence_penalty: Annotated[float, Field(strict=True, ge=-2, le=2)] | None = 0.0
    frequency_penalty: Annotated[float, Field(strict=True, ge=-2, le=2)] | None = 0.0
    logit_bias: (
        Annotated[
            dict[str, Annotated[float, Field(strict=True)]], Field(max_length=1024), AfterValidator(_bias)
        ]
        | None
    ) = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    top_k: Annotated[int, Field(strict=True, ge=0, le=2**31)] | None = None
    min_p: Annotated[float, Field(strict=True, ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(strict=True, gt=0, le=10)] | None = None
    beams: Annotated[int, Field(strict=True, ge=1, le=16)] | None = None
    constraint: ConstraintIn | None = None
    ignore_eos: bool | None = Field(
        None, description="Write on to the limit, for measurements, as vLLM has it"
    )
    priority: Literal["interactive", "bulk", "evaluation"] = "interactive"

    def check(self) -> None:
        """Raise InvalidInput for fields that do not go together."""
        if self.beams and self.beams > 1 and (self.n or 1) > self.beams:
            raise InvalidInput.field("n", "is more than beams")
        if self.stream_options and not self.stream:
            raise InvalidInput.field("stream_options", "is only for stream: true")

    def sampling(self) -> dict[str, Any]:
        """The engine's fields, as JSON."""
        given = {
            "temperature": self.temperature, "top_p": self.top_p, "n": self.n, "seed": self.seed,
            "presence_penalty": self.presence_penalty, "frequency_penalty": self.frequency_penalty,
            "logit_bias": self.logit_bias, "top_k": self.top_k, "min_p": self.min_p,
            "repetition_penalty": self.repetition_penalty, "beams": self.beams, "ignore_end": self.ignore_eos,
            "stop": [self.stop] if isinstance(self.stop, str) else self.stop,
            "constraint": self.constraint.dict() if self.constraint else None,
        }  # fmt: skip
        least = {} if (self.beams or 1) > 1 else {"temperature": 1.0}  # beams are not drawn
        return least | {name: value for name, value in given.items() if value is not None}


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


def _not_echo(value: bool | None) -> bool | None:
    if value:
        raise ValueError("the prompt is not repeated here")
    return value


def _no_suffix(value: str | None) -> str | None:
    if value:
        raise ValueError("the model writes on; it does not write between")
    return value


Tokens = Annotated[list[Token], Field(min_length=1, max_length=MOST_TOLD)]
Prompts = Annotated[list[Text], Field(min_length=1, max_length=MOST_PROMPTS)]
TokenPrompts = Annotated[list[Tokens], Field(min_length=1, max_length=MOST_PROMPTS)]


class CompletionIn(SamplingIn):
    """Texts to be continued; a prompt may also be given as the tokens of its text."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"model": "base", "prompt": "Once upon a time", "max_tokens": 32}]},
    )
    prompt: Text | Prompts | Tokens | TokenPrompts
    max_tokens: Annotated[int, Field(strict=True, ge=1, le=MOST_TOKENS)] | None = 16
    logprobs: Annotated[int, Field(strict=True, ge=0, le=5)] | None = None
    echo: Annotated[bool | None, AfterValidator(_not_echo)] = Field(False, description="Refused when true")
    suffix: Annotated[str | None, AfterValidator(_no_suffix)] = Field(None, description="Refused")

    def check(self) -> None:
        """Raise InvalidInput for fields that do not go together, and for prompts longer than one may be."""
        super().check()
        prompts = self.prompts()
        size, most = sum(map(len, prompts)), MOST_TOLD if isinstance(prompts[0], list) else MOST_CHARACTERS
        if size > most:
            unit = "tokens" if isinstance(prompts[0], list) else "characters"
            raise InvalidInput.field("prompt", f"is longer than {most} {unit} altogether")

    def prompts(self) -> list[str] | list[list[int]]:
        """Each prompt."""
        given: Any = self.prompt
        return given if isinstance(given, list) and not isinstance(given[0], int) else [given]

    def sampling(self) -> dict[str, Any]:
        """The engine's fields."""
        found = super().sampling() | {"max_tokens": self.max_tokens or 16}
        return found if self.logprobs is None else found | {"logprobs": self.logprobs}


class EmbeddingIn(Harmless):
    """Texts to be read into vectors."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"model": "base", "input": ["Where is my parcel?", "It is late."]}]},
    )
    model: Annotated[str, Field(min_length=1, max_length=100)]
    input: (
        Annotated[str, Field(min_length=1, max_length=100_000)]
        | Annotated[
            list[Annotated[str, Field(min_length=1, max_length=100_000)]],
            Field(min_length=1, max_length=MOST_TEXTS),
        ]
    )
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        None, description="The vector's own size, or refused: vectors are not shortened"
    )
    priority: Literal["interactive", "bulk", "evaluation"] = "bulk"

    def texts(self) -> list[str]:
        """Each text. Raises InvalidInput for more than can be read in time."""
        texts = [self.input] if isinstance(self.input, str) else self.input
        if sum(map(len, texts)) > MOST_READ:
            raise InvalidInput.field("input", f"is longer than {MOST_READ} characters altogether")
        return texts
