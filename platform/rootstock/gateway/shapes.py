"""The two forms in which an answer's pieces travel to a client: of a chat and of a completion, as server-sent events.

Everything that is the same in all chunks of one answer is made once: there is one chunk for every few tokens.
"""

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from rootstock.gateway.answers import usage_of
from rootstock.gateway.served import Served
from rootstock.gateway.tool_reader import Called, Piece, Said, ToolReader

Likelihoods = list[dict[str, Any]]
END, STILL_HERE = b"data: [DONE]\n\n", b": still here\n\n"


class Head:
    """What every chunk of an answer begins with."""

    def __init__(self, model: Served, call: UUID, kind: str) -> None:
        self.fields = {
            "id": f"{kind}-{call.hex}",
            "created": int(time.time()),
            "model": model.id,
            "system_fingerprint": model.fingerprint[:16],
        }

    def begun(self, object_: str) -> str:
        """The beginning of an event, up to its choices."""
        return f"data: {json.dumps(self.fields | {'object': object_})[:-1]}, "


class ChatShape:
    """`chat.completion.chunk`. With tools what the model writes is read for calls."""

    def __init__(self, head: Head, *, reads_calls: bool) -> None:
        self._begun = head.begun("chat.completion.chunk")
        self._reads_calls = reads_calls
        self._readers: defaultdict[int, ToolReader] = defaultdict(ToolReader)

    def first(self, index: int) -> bytes:
        """Who speaks."""
        return self._chunk(index, '{"role": "assistant", "content": ""}')

    def more(self, index: int, text: str, likelihoods: Likelihoods | None) -> Iterator[bytes]:
        """A piece of text, or of calls."""
        if self._reads_calls:
            deltas = [json.dumps(_delta(piece)) for piece in self._readers[index].push(text)]
            deltas = deltas or ["{}"] * bool(likelihoods)  # of tokens that are held back
        else:
            deltas = [f'{{"content": {json.dumps(text)}}}']
        told = json.dumps({"content": likelihoods}) if likelihoods else "null"
        for delta in deltas:
            yield self._chunk(index, delta, told)
            told = "null"

    def last(self, index: int, reason: str) -> Iterator[bytes]:
        """Why it ended."""
        if self._reads_calls:
            reader = self._readers[index]
            yield from (self._chunk(index, json.dumps(_delta(piece))) for piece in reader.end(reason))
            reason = finish_of(reason, reader)
        yield self._chunk(index, "{}", reason=f'"{reason}"')

    def usage(self, told: list[dict[str, Any]]) -> bytes:
        """The chunk without choices."""
        return f'{self._begun}"choices": [], "usage": {json.dumps(usage_of(told))}}}\n\n'.encode()

    def _chunk(self, index: int, delta: str, told: str = "null", reason: str = "null") -> bytes:
        choice = f'{{"index": {index}, "delta": {delta}, "logprobs": {told}, "finish_reason": {reason}}}'
        return f'{self._begun}"choices": [{choice}]}}\n\n'.encode()


class TextShape:
    """`text_completion`."""

    def __init__(self, head: Head) -> None:
        self._begun = head.begun("text_completion")
        self._offsets: defaultdict[int, int] = defaultdict(int)

    def first(self, index: int) -> bytes:
        """Nothing is said before the text."""
        return b""

    def more(self, index: int, text: str, likelihoods: Likelihoods | None) -> Iterator[bytes]:
        """A piece of text."""
        told = json.dumps(beside(likelihoods, self._offsets[index])) if likelihoods else "null"
        self._offsets[index] += len(text)
        yield self._chunk(index, json.dumps(text), told)

    def last(self, index: int, reason: str) -> Iterator[bytes]:
        """Why it ended."""
        yield self._chunk(index, '""', reason=f'"{reason}"')

    def usage(self, told: list[dict[str, Any]]) -> bytes:
        """The chunk without choices."""
        return f'{self._begun}"choices": [], "usage": {json.dumps(usage_of(told))}}}\n\n'.encode()

    def _chunk(self, index: int, text: str, told: str = "null", reason: str = "null") -> bytes:
        choice = f'{{"index": {index}, "text": {text}, "logprobs": {told}, "finish_reason": {reason}}}'
        return f'{self._begun}"choices": [{choice}]}}\n\n'.encode()


Shape = ChatShape | TextShape


def finish_of(reason: str, reader: ToolReader) -> str:
    """An answer that called tools ended for that."""
    return "tool_calls" if reason == "stop" and reader.calls else reason


def beside(likelihoods: Likelihoods, offset: int) -> dict[str, Any]:
    """The likelihoods of a completion's tokens, beside one another."""
    offsets = []
    for each in likelihoods:
        offsets.append(offset)
        offset += len(each["token"])
    return {
        "tokens": [each["token"] for each in likelihoods],
        "token_logprobs": [each["logprob"] for each in likelihoods],
        "top_logprobs": [
            {one["token"]: one["logprob"] for one in each["top_logprobs"]} for each in likelihoods
        ],
        "text_offset": offsets,
    }


def _delta(piece: Piece) -> dict[str, Any]:
    if isinstance(piece, Said):
        return {"content": piece.text}
    if isinstance(piece, Called):
        begun = {"index": piece.index, "id": piece.id, "type": "function"}
        return {"tool_calls": [begun | {"function": {"name": piece.name, "arguments": ""}}]}
    return {"tool_calls": [{"index": piece.index, "function": {"arguments": piece.text}}]}
