"""Byte-level BPE with a chat template: `tokenizers` and jinja alone, so training machines need no more."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from models_zoo.llm.card import ModelError

LONG = 4096  # characters: about 10 ms
# letters, digits, or one other character, with the white space before it: the units that tagging labels
UNIT = re.compile(r"\s*(?:[^\W\d_]+|\d+|[^\s])")


@dataclass(slots=True, frozen=True)
class Unit:
    """A word-like piece of a text: character offsets without leading space, and where its tokens begin."""

    start: int
    end: int
    first_token: int
    tokens: int


class ChatTokenizer:
    """The tokenizer of a base folder; thread-safe. Raises `ModelError` when its files cannot be read."""

    def __init__(self, folder: Path) -> None:
        try:
            self._plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._literal = Tokenizer.from_file(str(folder / "tokenizer.json"))
            settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(f"{folder}: tokenizer cannot be read: {error}") from error
        self._literal.encode_special_tokens = True
        self._special = sorted(token.content for token in self._plain.get_added_tokens_decoder().values())
        self._template = _template(folder, settings.get("chat_template") or "")
        self._special_values = {key: settings.get(key, "") for key in ("bos_token", "eos_token", "pad_token")}

    @cached_property
    def longest(self) -> int:
        """Bytes of the longest token: no text of more than n times as many is n tokens or fewer."""
        names = (token.content for token in self._plain.get_added_tokens_decoder().values())
        return max(map(len, [*self.token_bytes, *(name.encode() for name in names)]))

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text; the names of control tokens in it stay ordinary characters."""
        return _ids(self._literal, text)

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of each text, in parallel."""
        return [entry.ids for entry in self._literal.encode_batch(list(texts), add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, control tokens left out."""
        text: str = self._plain.decode(list(ids), skip_special_tokens=True)
        return text

    def encode_units(self, text: str) -> tuple[list[int], list[Unit]]:
        """Token ids of `text` cut so that no token crosses a unit, and the units."""
        pieces = [(match.start(), match.group()) for match in UNIT.finditer(text)]
        if not pieces:
            return [], []
        encoded = self._literal.encode_batch([piece for _, piece in pieces], add_special_tokens=False)
        ids: list[int] = []
        units = []
        for (start, piece), entry in zip(pieces, encoded, strict=True):
            if not entry.ids:  # a character whose bytes the vocabulary lacks
                continue
            inner = start + len(piece) - len(piece.lstrip())
            units.append(Unit(inner, start + len(piece), len(ids), len(entry.ids)))
            ids.extend(entry.ids)
        return ids, units

    def chat(self, messages: Sequence[Mapping[str, str]], reply: bool = True) -> list[int]:
        """Token ids of a conversation, ending with the opening of the assistant's turn when `reply`.

        Contents are data: the name of a control token inside one is encoded as characters, so no user can
        open a turn of another role. Raises `ValueError` for a malformed message or one the template refuses.
        """
        _check_messages(messages)
        if not any(name in message["content"] for message in messages for name in self._special):
            return self._encode_rendered(self._render(messages, reply))
        marked = [{**m, "content": f"\ue000{index}\ue001"} for index, m in enumerate(messages)]
        ids: list[int] = []
        for index, piece in enumerate(re.split("\ue000(\\d+)\ue001", self._render(marked, reply))):
            ids += self.encode(messages[int(piece)]["content"]) if index % 2 else self._encode_rendered(piece)
        return ids

    def _encode_rendered(self, text: str) -> list[int]:
        return _ids(self._plain, text)

    def _render(self, messages: Sequence[Mapping[str, str]], reply: bool) -> str:
        if self._template is None:
            raise ValueError("this base has no chat template, so it answers no messages")
        try:
            return self._template.render(
                messages=list(messages), add_generation_prompt=reply, **self._special_values
            )
        except Exception as error:  # a template is foreign code: what it raises is its own affair
            raise ValueError(f"the chat template refuses these messages: {error}") from error

    @cached_property
    def token_bytes(self) -> list[bytes]:
        """The bytes of every token id up to the highest; control and unassigned ones have none."""
        alphabet = byte_alphabet()
        added = self._plain.get_added_tokens_decoder()
        vocabulary = self._plain.get_vocab()
        table = [b""] * (max(vocabulary.values(), default=-1) + 1)
        for token, index in vocabulary.items():
            if index not in added:
                table[index] = bytes(alphabet[character] for character in token)
            elif not added[index].special:
                table[index] = token.encode()
        return table


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """Of a long text without Python's lock, which `encode` keeps and `encode_batch` gives up: others go on."""
    if len(text) < LONG:
        entry = tokenizer.encode(text, add_special_tokens=False)
    else:
        [entry] = tokenizer.encode_batch([text], add_special_tokens=False)
    ids: list[int] = entry.ids
    return ids


def _template(folder: Path, text: str) -> Template | None:
    """The chat template with what transformers offers its templates; None for a base that has none."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda layout: datetime.now().strftime(layout)
    try:
        return environment.from_string(text) if text else None
    except TemplateError as error:
        raise ModelError(f"{folder}: chat_template cannot be read: {error}") from error


def _refuse(reason: str) -> None:
    raise TemplateError(reason)


def _check_messages(messages: Sequence[Mapping[str, str]]) -> None:
    if not messages:
        raise ValueError("messages is empty, expected at least one")
    for index, message in enumerate(messages):
        if message.get("role") not in ("system", "user", "assistant"):
            role = message.get("role")
            raise ValueError(f"messages[{index}].role is {role!r}, expected system, user or assistant")
        if not isinstance(message.get("content"), str):
            raise ValueError(f"messages[{index}].content is not a string")


def byte_alphabet() -> dict[str, int]:
    """GPT-2's reversible map of printable characters to bytes (Radford et al., 2019)."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    shifted = [byte for byte in range(256) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable}
    alphabet.update({chr(256 + index): byte for index, byte in enumerate(shifted)})
    return alphabet
