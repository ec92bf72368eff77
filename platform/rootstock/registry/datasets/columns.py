"""Which columns of a row become which parts of an example."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from rootstock.errors import FieldProblem, InvalidInput


@dataclass(slots=True, frozen=True)
class Part:
    """A part of an example: the column names taken for it without asking, and those that are only suggested."""

    expected: tuple[str, ...]
    suggested: tuple[str, ...] = ()


_SYSTEM = Part(("system",), ("system_prompt",))
_PROMPT = Part(("prompt", "instruction"), ("question", "query", "user", "request", "customer"))
_INPUT = Part(("input",), ("context",))
_MESSAGES = Part(("messages",), ("conversation", "conversations", "dialogue", "dialog", "history"))
_TEXT = Part(("text",), ("sentence", "utterance", "content", "body", "message", "review", "comment"))
PARTS: dict[str, dict[str, Part]] = {
    "chat": {
        "messages": _MESSAGES,
        "system": _SYSTEM,
        "prompt": _PROMPT,
        "input": _INPUT,
        "completion": Part(
            ("completion", "output"), ("response", "answer", "reply", "assistant", "agent", "target")
        ),
    },
    "classification": {
        "text": _TEXT,
        "label": Part(("label",), ("class", "category", "intent", "emotion", "sentiment", "target", "topic")),
        "labels": Part(("labels",), ("classes", "categories", "emotions", "tags")),
    },
    "tagging": {
        "text": _TEXT,
        "spans": Part(("spans",), ("entities", "annotations")),
        "tokens": Part(("tokens",), ("words",)),
        "tags": Part(("tags",), ("ner_tags", "labels", "bio")),
    },
    "preference": {
        "messages": _MESSAGES,
        "system": _SYSTEM,
        "prompt": _PROMPT,
        "chosen": Part(("chosen",), ("accepted", "preferred", "better", "winner")),
        "rejected": Part(("rejected",), ("refused", "worse", "loser")),
    },
}
# any one of these makes an example
WHOLE: dict[str, tuple[frozenset[str], ...]] = {
    "chat": (frozenset({"messages"}), frozenset({"prompt", "completion"})),
    "classification": (frozenset({"text", "label"}), frozenset({"text", "labels"})),
    "tagging": (frozenset({"text", "spans"}), frozenset({"tokens", "tags"})),
    "preference": (frozenset({"chosen", "rejected"}),),
}


def is_whole(task: str, parts: Collection[str]) -> bool:
    """Whether these parts make an example."""
    return any(wanted <= set(parts) for wanted in WHOLE[task])


def columns_expected(task: str, columns: Collection[str]) -> dict[str, str]:
    """Part → column, by the expected names alone."""
    return _matched(task, columns, lambda part: part.expected)


def columns_suggested(task: str, columns: Collection[str]) -> dict[str, str]:
    """Part → column, by every name that may mean it, for a person to look at."""
    found = _matched(task, columns, lambda part: (*part.expected, *part.suggested))
    for wanted in WHOLE[task]:
        if wanted <= found.keys():
            return {part: column for part, column in found.items() if _goes_with(part, wanted)}
    return found


def columns_chosen(task: str, columns: Collection[str], given: Mapping[str, str] | None) -> dict[str, str]:
    """The given columns, or else those with expected names. Raises InvalidInput naming what is missing or unknown."""
    if given:
        _check(task, columns, given)
        return dict(given)
    found = columns_expected(task, columns)
    if not is_whole(task, found):
        raise InvalidInput.field("columns", _missing(task, columns))
    return found


def _check(task: str, columns: Collection[str], given: Mapping[str, str]) -> None:
    problems = [
        FieldProblem(f"columns.{part}", f"{task} has no such part; it has {', '.join(PARTS[task])}")
        for part in given.keys() - PARTS[task].keys()
    ]
    problems += [
        FieldProblem(f"columns.{part}", "the file has no such column")
        for part, column in given.items()
        if column not in columns
    ]
    if problems:
        raise InvalidInput("the columns do not fit the file", errors=problems)
    if not is_whole(task, given):
        raise InvalidInput.field("columns", _missing(task, columns))


def _missing(task: str, columns: Collection[str]) -> str:
    ways = " or ".join(" and ".join(sorted(wanted)) for wanted in WHOLE[task])
    there = ", ".join(name[:40] for name in list(columns)[:20]) or "none"
    return f"say which columns are {ways}; the file has {there}"


def _matched(task: str, columns: Collection[str], names: Callable[[Part], tuple[str, ...]]) -> dict[str, str]:
    by_name = {column.strip().lower(): column for column in reversed(list(columns))}
    found = dict[str, str]()
    for part, known in PARTS[task].items():
        column = next((by_name[name] for name in names(known) if name in by_name), None)
        if column is not None and column not in found.values():
            found[part] = column
    return found


def _goes_with(part: str, wanted: frozenset[str]) -> bool:
    return part in wanted or (part in {"system", "input"} and "prompt" in wanted) or "chosen" in wanted
