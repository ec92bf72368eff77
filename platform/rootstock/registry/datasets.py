"""Reading uploaded training data: every line is checked before anything is stored."""

import io
import json
import re
from collections.abc import Iterator
from typing import Annotated, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rootstock.edge import refuse_unstorable
from rootstock.errors import FieldProblem, InvalidInput

MAX_BYTES = 16 * 1024 * 1024
MAX_ROWS = 20_000
MAX_PROBLEMS = 20
_LINE_END = re.compile(r"\r\n|\r|\n")
_Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]


class ChatMessage(BaseModel):
    """One message of a training conversation."""

    model_config = ConfigDict(extra="forbid")
    role: Literal["system", "user", "assistant"]
    content: _Text


class ChatExample(BaseModel):
    """One training conversation; it ends with the answer to learn."""

    model_config = ConfigDict(extra="forbid")
    messages: list[ChatMessage] = Field(min_length=2, max_length=64)


def check_chat_stream(stream: BinaryIO) -> int:
    """The number of examples in JSON Lines, read a line at a time.

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
            problems += _problems(number, line)
    if not rows:
        raise InvalidInput.field("file", "has no examples")
    if problems:
        raise InvalidInput(
            "the data set has invalid lines; nothing was stored", errors=problems[:MAX_PROBLEMS]
        )
    return rows


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


def _problems(number: int, line: str) -> Iterator[FieldProblem]:
    where = f"line {number}"
    try:
        value = json.loads(line)
        refuse_unstorable(value, where)
        example = ChatExample.model_validate(value)
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
        if example.messages[-1].role != "assistant":
            yield FieldProblem(f"{where}.messages", "must end with an assistant message")
