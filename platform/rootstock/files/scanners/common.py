"""What the checks share."""

from collections.abc import Iterator
from typing import BinaryIO

CHUNK = 64 * 1024


class Refusal(Exception):
    """The content is not taken; the message says why, to the person who uploaded it."""


def size_of(stream: BinaryIO) -> int:
    """Bytes of the whole stream; it is at its beginning afterwards."""
    size = stream.seek(0, 2)
    stream.seek(0)
    return size


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The whole stream from its beginning, a piece at a time."""
    stream.seek(0)
    while piece := stream.read(CHUNK):
        yield piece
