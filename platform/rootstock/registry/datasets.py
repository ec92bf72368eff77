"""Reading uploaded training data: every line is checked before anything is stored."""

import json
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rootstock.errors import FieldProblem, InvalidInput

MAX_BYTES = 16 * 1024 * 1024
MAX_ROWS = 20_000
MAX_PROBLEMS = 20
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


def check_chat_lines(content: bytes) -> int:
    """The number of examples in JSON Lines. Raises InvalidInput with line numbers, at most twenty of them."""
    if len(content) > MAX_BYTES:
        raise InvalidInput.field("file", f"is larger than {MAX_BYTES // 2**20} MiB")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput.field("file", f"is not UTF-8 at byte {error.start}") from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise InvalidInput.field("file", "has no examples")
    if len(lines) > MAX_ROWS:
        raise InvalidInput.field("file", f"has more than {MAX_ROWS} examples")
    problems = [p for number, line in lines for p in _problems(number, line)][:MAX_PROBLEMS]
    if problems:
        raise InvalidInput("the data set has invalid lines; nothing was stored", errors=problems)
    return len(lines)


def _problems(number: int, line: str) -> Iterator[FieldProblem]:
    where = f"line {number}"
    try:
        example = ChatExample.model_validate(json.loads(line))
    except json.JSONDecodeError as error:
        yield FieldProblem(where, f"is not JSON: {error.msg} at column {error.colno}")
    except RecursionError:
        yield FieldProblem(where, "is nested too deeply")
    except ValidationError as error:
        for found in error.errors(include_input=False, include_url=False)[:3]:
            yield FieldProblem(".".join([where, *(str(part) for part in found["loc"])]), found["msg"])
    else:
        if example.messages[-1].role != "assistant":
            yield FieldProblem(f"{where}.messages", "must end with an assistant message")
