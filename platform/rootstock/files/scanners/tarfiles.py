"""Reading tar as a stream. Python's own reader takes names of any length into memory; this one has a cap."""

from collections.abc import Iterator
from dataclasses import dataclass

from rootstock.files.scanners.common import CHUNK, Refusal

BLOCK = 512
_MAX_RECORD = 64 * 1024
_NAMES = {b"L": "path", b"K": "linkpath"}


@dataclass(slots=True, frozen=True)
class TarEntry:
    """One entry; its content is read before the next one."""

    name: str
    size: int
    kind: bytes
    content: Iterator[bytes]

    @property
    def is_link_or_device(self) -> bool:
        """Anything but a file or a folder."""
        return self.kind not in (b"0", b"\0", b"5", b"7")


class _Reader:
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._held = pieces, b""

    def take(self, count: int) -> bytes:
        """Up to `count` bytes, and no less unless the end has come."""
        while len(self._held) < count:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._held += piece
        found, self._held = self._held[:count], self._held[count:]
        return found

    def content(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes in pieces, and past the padding behind them."""
        left, padded = size, -size % BLOCK
        while left:
            piece = self.take(min(left, CHUNK))
            if not piece:
                raise Refusal("the tar archive ends in the middle")
            left -= len(piece)
            yield piece
        self.take(padded)


def is_tar(head: bytes) -> bool:
    """A tar header with a checksum that fits."""
    return len(head) >= BLOCK and any(head[:BLOCK]) and _checksum(head[:BLOCK])


def _checksum(header: bytes) -> bool:
    try:
        told = int(header[148:156].strip(b"\0 ") or b"x", 8)
    except ValueError:
        return False
    return told == sum(header[:148]) + 32 * 8 + sum(header[156:])


def entries(pieces: Iterator[bytes]) -> Iterator[TarEntry]:
    """Every entry of a tar stream. Raises Refusal for what is malformed or would take memory."""
    reader, told = _Reader(pieces), dict[str, str]()
    while header := reader.take(BLOCK):
        if not any(header):
            return
        if len(header) < BLOCK or not _checksum(header):
            raise Refusal("is not a well-formed tar archive")
        size, kind = _number(header[124:136]), header[156:157]
        if kind in (b"L", b"K", b"x"):
            told |= _record(reader, size, kind)
            continue
        if kind in (b"g", b"S", b"V", b"M"):
            raise Refusal("uses a form of tar that is not taken (sparse, multi-volume or global headers)")
        size = 0 if kind in (b"5",) else size
        content = reader.content(size)
        yield TarEntry(told.get("path") or _name(header), size, kind, content)
        for _ in content:
            pass
        told = {}


def _record(reader: _Reader, size: int, kind: bytes) -> dict[str, str]:
    if size > _MAX_RECORD:
        raise Refusal("an entry's name is too long")
    text = b"".join(reader.content(size)).decode("utf-8", "replace")
    if kind in _NAMES:
        return {_NAMES[kind]: text.rstrip("\0")}
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")[2].partition("=")
        found[name] = value
    if "size" in found or any(name.startswith("GNU.sparse") for name in found):
        raise Refusal("uses a form of tar that is not taken (sparse or very large entries)")
    return found


def _name(header: bytes) -> str:
    name, prefix = (
        part.split(b"\0", 1)[0].decode("utf-8", "replace") for part in (header[:100], header[345:500])
    )
    return f"{prefix}/{name}" if prefix and header[257:262] == b"ustar" else name


def _number(field: bytes) -> int:
    """Octal; base-256, for more than 8 GiB, is not taken."""
    try:
        return int(field.strip(b"\0 ") or b"0", 8)
    except ValueError:
        raise Refusal("is not a well-formed tar archive") from None
