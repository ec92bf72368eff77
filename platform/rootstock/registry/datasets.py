"""Reading uploaded data sets: every line is checked before anything is stored."""

import io
import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from rootstock.edge import refuse_unstorable
from rootstock.errors import FieldProblem, InvalidInput

MAX_BYTES = 16 * 1024 * 1024
MAX_ROWS = 20_000
MAX_PROBLEMS = 20
_LINE_END = re.compile(r"\r\n|\r|\n")
_Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
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


EXAMPLES: dict[str, type[BaseModel]] = {
    "chat": ChatExample,
    "classification": LabelledText,
    "tagging": TaggedText,
}


def check_stream(stream: BinaryIO, task: str) -> int:
    """The number of examples of `task` in JSON Lines, read a line at a time.

    Raises InvalidInput with line numbers, at most twenty of them.
    """
    if stream.seek(0, io.SEEK_END) > MAX_BYTES:
        raise InvalidInput.field("file", f"is larger than {MAX_BYTES // 2**20} MiB")
    rows, problems = 0, list[FieldProblem]()
    for number, line in _lines(stream):
        rows += 1
        if rows > MAX_ROWS:
            raise InvalidInput.field("file", f"has more than {MAX_ROWS} examples")
        if len(problems) < MAX_PROBLEMS:
            problems += _problems(number, line, EXAMPLES[task])
    if not rows:
        raise InvalidInput.field("file", "has no examples")
    if problems:
        raise InvalidInput(
            "the data set has invalid lines; nothing was stored", errors=problems[:MAX_PROBLEMS]
        )
    return rows


def examples_of(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """The examples of a data set that was checked."""
    for _, line in _lines(stream):
        yield json.loads(line)


def _lines(stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is not blank. Lines end as the trainer's reading ends them."""
    stream.seek(0)
    number, at = 0, 0
    for raw in stream:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInput.field("file", f"is not UTF-8 at byte {at + error.start}") from None
        at += len(raw)
        for line in _LINE_END.split(text.removesuffix("\n")):
            number += 1
            if line.strip():
                yield number, line


def _problems(number: int, line: str, kind: type[BaseModel]) -> Iterator[FieldProblem]:
    where = f"line {number}"
    try:
        value = json.loads(line)
        refuse_unstorable(value, where)
        example = kind.model_validate(value)
    except json.JSONDecodeError as error:
        yield FieldProblem(where, f"is not JSON: {error.msg} at column {error.colno}")
    except RecursionError:
        yield FieldProblem(where, "is nested too deeply")
    except InvalidInput as error:
        yield from error.errors[:3]
    except ValidationError as error:
        for found in error.errors(include_input=False, include_url=False)[:3]:
            yield FieldProblem(".".join([where, *(str(part) for part in found["loc"])]), found["msg"])
    else:
        if isinstance(example, ChatExample) and example.messages[-1].role != "assistant":
            yield FieldProblem(f"{where}.messages", "must end with an assistant message")
