"""Pairs of answers as OpenAI has them, in the form that the registry reads."""

import json
from io import BytesIO
from typing import Any, BinaryIO

from django.core.files.uploadedfile import UploadedFile

from rootstock.files.uploads import Upload

NAMES = {"input", "preferred_output", "non_preferred_output"}


def pairs_read(stream: BinaryIO) -> Upload:
    """The same lines, OpenAI's rewritten; any other stays as it is, to be checked and named by its number."""
    content = BytesIO(b"\n".join(_line(line) for line in stream.read().split(b"\n")))
    return UploadedFile(content, size=len(content.getvalue()))


def _line(line: bytes) -> bytes:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return line
    return json.dumps(_pair(row)).encode() if isinstance(row, dict) and row.keys() >= NAMES else line


def _pair(row: dict[str, Any]) -> dict[str, Any]:
    asked = row["input"].get("messages") if isinstance(row["input"], dict) else row["input"]
    told = {"messages": asked, "chosen": row["preferred_output"], "rejected": row["non_preferred_output"]}
    return {name: value for name, value in row.items() if name not in NAMES} | told
