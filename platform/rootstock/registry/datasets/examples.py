"""What an example of each task is, as it is stored."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank")
    return text


_Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000), AfterValidator(_said)]
_Label = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class ChatMessage(BaseModel):
    """One message of a training conversation."""

    model_config = ConfigDict(extra="forbid")
    role: Literal["system", "user", "assistant"]
    content: _Text


class ChatExample(BaseModel):
    """One training conversation; it ends with the answer to learn."""

    model_config = ConfigDict(extra="forbid")
    messages: list[ChatMessage] = Field(min_length=2, max_length=64)


class LabelledText(BaseModel):
    """A text and its labels."""

    model_config = ConfigDict(extra="forbid")
    text: _Text
    labels: list[_Label] = Field(max_length=64)


class TaggedText(BaseModel):
    """A text and its spans: start, end (exclusive, in characters) and label of each."""

    model_config = ConfigDict(extra="forbid")
    text: _Text
    spans: list[tuple[int, int, _Label]] = Field(max_length=1000)

    @model_validator(mode="after")
    def spans_lie_within(self) -> "TaggedText":
        """Every span is a piece of the text."""
        for at, (start, end, _) in enumerate(self.spans):
            if not 0 <= start < end <= len(self.text):
                raise ValueError(
                    f"spans.{at}: {start} to {end} is no piece of a text of {len(self.text)} characters"
                )
        return self


class PreferencePair(BaseModel):
    """A conversation that ends with a user's turn, the better answer to it and a worse one."""

    model_config = ConfigDict(extra="forbid")
    messages: list[ChatMessage] = Field(min_length=1, max_length=63)
    chosen: _Text
    rejected: _Text

    @model_validator(mode="after")
    def answers_differ(self) -> "PreferencePair":
        """From two equal answers nothing can be learned."""
        if self.chosen.strip() == self.rejected.strip():
            raise ValueError("chosen and rejected are the same answer")
        return self


EXAMPLES: dict[str, type[BaseModel]] = {
    "chat": ChatExample,
    "classification": LabelledText,
    "tagging": TaggedText,
    "preference": PreferencePair,
}
LAST_TURN = {"chat": "assistant", "preference": "user"}


def last_turn_problem(task: str, example: BaseModel) -> str:
    """What is wrong with who speaks last; empty when nothing is."""
    wanted = LAST_TURN.get(task)
    messages: list[ChatMessage] = getattr(example, "messages", [])
    if wanted is None or messages[-1].role == wanted:
        return ""
    return f"must end with {'an' if wanted == 'assistant' else 'a'} {wanted} message"


def fields_of(example: dict[str, Any]) -> list[tuple[str, str]]:
    """Every text that a stored example holds, in order, behind the dotted path of its field."""
    if "text" in example:
        return [("text", example["text"])]
    turns = [(f"messages.{at}.content", turn["content"]) for at, turn in enumerate(example["messages"])]
    return turns + [(name, example[name]) for name in ("chosen", "rejected") if name in example]
