"""Bodies of the OpenAI-compatible API. A field that is not here is refused by its name."""

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


def _bias(value: dict[str, float]) -> dict[str, float]:
    for token, bias in value.items():
        if not (token.isdecimal() and len(token) < 10) or not -100 <= bias <= 100:
            raise ValueError("must map ids of tokens to numbers from -100 to 100")
    return value


class Strict(Schema):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Harmless(Strict):
    """What official clients send beside their request. None of it is kept."""

    user: str | None = Field(
        None,
        description="Whose request it is: of an alias with a canary, the same user gets the same version",
    )
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
