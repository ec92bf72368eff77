"""Contents of any length under a person's key, sealed piece by piece: neither end holds more than one piece.

A piece is bound to the content's name, to its number and to whether it is the last, so that none can be moved,
repeated, left out or cut off.
"""

import io
from typing import Any, BinaryIO, Protocol, cast

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rootstock.privacy.keyring import SEAL_BYTES, Tampered, seal, unseal
from rootstock.privacy.keys import SubjectKey

PIECE = 64 * 1024


class Target(Protocol):
    """Where sealed pieces go."""

    def write(self, data: bytes, /) -> object:
        """Take some."""


def _place(name: str, number: int, last: bool) -> bytes:
    return f"{name}:{number}:{'last' if last else 'more'}".encode()


class SealedWriter:
    """Seals what is written. `finish` writes the last piece; without it the content does not open."""

    def __init__(self, target: Target, key: SubjectKey, name: str) -> None:
        self._target, self._cipher, self._name = target, key.cipher(), name
        self._waiting, self._number = bytearray(), 0

    def write(self, data: bytes) -> int:
        """Take some of the content."""
        self._waiting += data
        while len(self._waiting) > PIECE:
            self._seal(bytes(self._waiting[:PIECE]), last=False)
            del self._waiting[:PIECE]
        return len(data)

    def flush(self) -> None:
        """A piece is only sealed when it is full."""

    def finish(self) -> None:
        """The content is at its end."""
        self._seal(bytes(self._waiting), last=True)

    def _seal(self, plain: bytes, *, last: bool) -> None:
        self._target.write(seal(self._cipher, plain, _place(self._name, self._number, last)))
        self._number += 1


class _SealedReader(io.RawIOBase):
    """Opens one piece at a time, wherever it is read."""

    def __init__(self, source: BinaryIO, cipher: AESGCM, name: str) -> None:
        super().__init__()
        self._source, self._cipher, self._name = source, cipher, name
        stored = source.seek(0, io.SEEK_END)
        self._pieces = -(-stored // (PIECE + SEAL_BYTES))
        self._size = stored - self._pieces * SEAL_BYTES
        if self._size < 0 or not self._pieces:
            raise Tampered("an encrypted content was cut off")
        self._at, self._opened, self._piece = 0, -1, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, (0, self._at, self._size)[whence] + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        number, start = divmod(self._at, PIECE)
        found = self._open(number)[start : start + len(buffer)] if number < self._pieces else b""
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def _open(self, number: int) -> bytes:
        if number != self._opened:
            self._source.seek(number * (PIECE + SEAL_BYTES))
            sealed = self._source.read(PIECE + SEAL_BYTES)
            place = _place(self._name, number, number == self._pieces - 1)
            self._piece, self._opened = unseal(self._cipher, sealed, place), number
        return self._piece

    def close(self) -> None:
        self._source.close()
        super().close()


def sealed_reader(source: Any, key: SubjectKey, name: str) -> BinaryIO:
    """The content that a `SealedWriter` sealed under this key and name; it can be sought in."""
    return cast(BinaryIO, io.BufferedReader(_SealedReader(source, key.cipher(), name), PIECE))
