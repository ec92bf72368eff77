"""Rows in the forms that people have them in, as examples of a task. What comes out is still to be checked."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rootstock.registry.datasets.columns import columns_expected, is_whole

MARK = "|"  # between several labels in one cell
ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}

Row = dict[str, Any]


class Unfit(Exception):
    """A part of a row cannot be used: its name, and why."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(reason)
        self.part, self.reason = part, reason


def example_of(task: str, value: Any, columns: Mapping[str, str] | None = None) -> Any:
    """The example that a row gives: by the columns chosen for it, or else by the names that it has itself.

    What has the stored form already, or no form that is known, is given back as it is. Raises Unfit.
    """
    if not isinstance(value, dict) or (columns is None and _is_stored(task, value)):
        return value
    if columns is None:
        columns = columns_expected(task, [str(name) for name in value])
        if not is_whole(task, columns):
            return value
        if more := value.keys() - set(columns.values()):
            raise Unfit(str(min(more)), "is no part of such a row")
    return CONVERTERS[task]({part: value.get(column) for part, column in columns.items()})


def _is_stored(task: str, value: Row) -> bool:
    stored = {
        "chat": {"messages"},
        "classification": {"labels"},
        "tagging": {"spans"},
        "preference": {"messages"},
    }[task]
    return stored <= value.keys() and all(isinstance(value[name], list) for name in stored) and not any(
        isinstance(value.get(name), list) for name in ("chosen", "rejected")
    )  # fmt: skip


def _chat(parts: Row) -> Row:
    if parts.get("messages") is not None:
        return {"messages": _system(parts) + _messages("messages", parts["messages"])}
    answer = parts.get("completion")
    turns = (
        _messages("completion", answer)
        if isinstance(answer, list)
        else [_turn("assistant", parts, "completion")]
    )
    return {"messages": _asked(parts) + turns}


def _classification(parts: Row) -> Row:
    labels = (
        _list("labels", parts["labels"], MARK) if parts.get("labels") is not None else [parts.get("label")]
    )
    return {"text": _text("text", parts.get("text")), "labels": [_text("label", one) for one in labels]}


def _tagging(parts: Row) -> Row:
    if parts.get("spans") is not None:
        spans = [_span(one) for one in _list("spans", parts["spans"])]
        return {"text": _text("text", parts.get("text")), "spans": spans}
    tokens = [_text("tokens", one) for one in _list("tokens", parts.get("tokens"), " ")]
    tags = _list("tags", parts.get("tags"), " ")
    if len(tokens) != len(tags):
        raise Unfit("tags", f"has {len(tags)} entries for {len(tokens)} tokens")
    return {"text": " ".join(tokens), "spans": _joined(tokens, tags)}


def _preference(parts: Row) -> Row:
    asked = _asked(parts) if parts.get("prompt") is not None else []
    if parts.get("messages") is not None:
        asked = _system(parts) + _messages("messages", parts["messages"])
    chosen, rejected = (_answer(parts, name) for name in ("chosen", "rejected"))
    if not asked:
        asked = chosen[:-1]
        if rejected[:-1] != asked:
            raise Unfit("rejected", "must answer the same conversation as chosen")
    return {"messages": asked, "chosen": chosen[-1]["content"], "rejected": rejected[-1]["content"]}


def _answer(parts: Row, name: str) -> list[Row]:
    given = parts.get(name)
    if not _is_list(given):
        return [_turn("assistant", parts, name)]
    turns = _messages(name, given)
    if not turns or turns[-1]["role"] != "assistant":
        raise Unfit(name, "must end with an assistant message")
    return turns


def _asked(parts: Row) -> list[Row]:
    """What comes before the answer: a system prompt, and what is asked with what it is asked about."""
    prompt = parts.get("prompt")
    if _is_list(prompt):
        return _system(parts) + _messages("prompt", prompt)
    text = _text("prompt", prompt)
    if about := _optional(parts, "input"):
        text = f"{text}\n\n{about}"
    return [*_system(parts), {"role": "user", "content": text}]


def _system(parts: Row) -> list[Row]:
    said = _optional(parts, "system")
    return [{"role": "system", "content": said}] if said else []


def _turn(role: str, parts: Row, name: str) -> Row:
    return {"role": role, "content": _text(name, parts.get(name))}


def _optional(parts: Row, name: str) -> str:
    return "" if parts.get(name) is None else _text(name, parts[name]).strip()


def _messages(part: str, value: Any) -> list[Row]:
    return [_message(part, one) for one in _list(part, value)]


def _message(part: str, value: Any) -> Row:
    if not isinstance(value, dict):
        raise Unfit(part, "must be a list of messages with role and content")
    role = value.get("role", value.get("from"))
    content = value.get("content", value.get("value"))
    return {"role": ROLES.get(role, role) if isinstance(role, str) else role, "content": content}


def _span(value: Any) -> Any:
    if isinstance(value, dict) and {"start", "end", "label"} <= value.keys():
        return [value["start"], value["end"], value["label"]]
    return value


def _joined(tokens: Sequence[str], tags: Sequence[Any]) -> list[list[Any]]:
    """Spans of tokens that are joined by blanks, from BIO tags (Ramshaw and Marcus, 1995)."""
    spans: list[list[Any]] = []
    at, before = 0, "O"
    for token, tag in zip(tokens, tags, strict=True):
        if not isinstance(tag, str) or not (tag == "O" or tag[:2] in {"B-", "I-"}):
            raise Unfit("tags", "must be O, B-label or I-label")
        if tag[:2] == "I-" and before[2:] == tag[2:]:
            spans[-1][1] = at + len(token)
        elif tag != "O":
            spans.append([at, at + len(token), tag[2:]])
        at, before = at + len(token) + 1, tag
    return spans


def _list(part: str, value: Any, mark: str = "") -> list[Any]:
    """A list; in a cell it is written as JSON, or with a mark between its entries."""
    if isinstance(value, list):
        return value
    if isinstance(value, str) and value.lstrip().startswith("["):
        return _parsed(part, value)
    if isinstance(value, str) and mark:
        return [one.strip() for one in value.split(mark) if one.strip()]
    raise Unfit(part, "is no list")


def _is_list(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, str) and value.lstrip()[:2] in {"[{", "[\n"})


def _parsed(part: str, text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Unfit(part, "is not a list in JSON") from None
    return found if isinstance(found, list) else [found]


def _text(part: str, value: Any) -> str:
    """A cell as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    raise Unfit(part, "is empty" if value is None else "is no text")


CONVERTERS: dict[str, Callable[[Row], Row]] = {
    "chat": _chat,
    "classification": _classification,
    "tagging": _tagging,
    "preference": _preference,
}
