"""Images: the format's own structure to the end of the file, and a cap on the pixels a viewer would unpack."""

import struct
from typing import BinaryIO

from rootstock.files.scanners.common import Refusal, size_of

MAX_PIXELS = 100_000_000
MAX_SIDE = 30_000
MAX_TRAILING = 16
_MAX_CHUNKS = 100_000


def _told(kind: str, width: int, height: int) -> str:
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise Refusal(
            f"the image says it is {width:,} × {height:,}; at most {MAX_PIXELS // 10**6} megapixels are taken"
        )
    return f"{kind}, {width} × {height}"


def _exactly(stream: BinaryIO, count: int) -> bytes:
    found = stream.read(count)
    if len(found) != count:
        raise Refusal("the image ends in the middle")
    return found


def _nothing_more(stream: BinaryIO, size: int) -> None:
    if size - stream.tell() > MAX_TRAILING:
        raise Refusal("something else follows after the image's end")


def check_png(stream: BinaryIO) -> str:
    """Chunk by chunk until IEND."""
    size, told = size_of(stream), ""
    _exactly(stream, 8)
    for number in range(_MAX_CHUNKS):
        length, kind = struct.unpack(">I4s", _exactly(stream, 8))
        if (number == 0) != (kind == b"IHDR") or length > size:
            raise Refusal("is not a well-formed PNG")
        if kind == b"IHDR":
            told = _told("PNG", *struct.unpack(">II", _exactly(stream, 8)))
            length -= 8
        stream.seek(length + 4, 1)
        if kind == b"IEND":
            _nothing_more(stream, size)
            return told
    raise Refusal("is not a well-formed PNG")


_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def check_jpeg(stream: BinaryIO) -> str:
    """Segment by segment until the first scan, which must come after a frame with the size."""
    size_of(stream)
    _exactly(stream, 2)
    told = ""
    for _ in range(_MAX_CHUNKS):
        mark, kind = _exactly(stream, 2)
        if mark != 0xFF:
            break
        if kind == 0xFF:
            stream.seek(-1, 1)
            continue
        (length,) = struct.unpack(">H", _exactly(stream, 2))
        if length < 2:
            break
        if kind == 0xDA:
            if told:
                return told
            break
        body = _exactly(stream, length - 2)
        if kind in _JPEG_FRAMES:
            if len(body) < 5:
                break
            height, width = struct.unpack(">HH", body[1:5])
            told = _told("JPEG", width, height)
    raise Refusal("is not a well-formed JPEG")


def check_gif(stream: BinaryIO) -> str:
    """The screen's size and the trailer."""
    size = size_of(stream)
    width, height = struct.unpack("<HH", _exactly(stream, 10)[6:])
    stream.seek(max(0, size - MAX_TRAILING))
    if b"\x3b" not in stream.read():
        raise Refusal("the image ends in the middle")
    return _told("GIF", width, height)


def check_webp(stream: BinaryIO) -> str:
    """The container's length and the size of the canvas."""
    size = size_of(stream)
    head = _exactly(stream, 30)
    (length,) = struct.unpack("<I", head[4:8])
    if abs(length + 8 - size) > MAX_TRAILING:
        raise Refusal("the image is longer or shorter than it says")
    kind = head[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8 ":
        width, height = (one & 0x3FFF for one in struct.unpack("<HH", head[26:30]))
    elif kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        raise Refusal("is not a well-formed WebP")
    return _told("WebP", width, height)
