"""Archives: where entries would land, what they are, and how much they really unpack to.

Sizes that an archive tells are not believed: everything is unpacked to nowhere, counted, and stopped at a cap.
"""

import re
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import IO, BinaryIO, cast

from rootstock.files.scanners import tarfiles
from rootstock.files.scanners.common import CHUNK, Refusal, chunks, size_of

MAX_ENTRIES = 10_000
MAX_UNPACKED = 1024 * 1024 * 1024
MAX_RATIO = 200
RATIO_FROM = 4 * 1024 * 1024  # below it a high ratio harms nobody
MAX_DEPTH = 2
_MAX_DIRECTORY = 4 * 1024 * 1024
_MAX_MEMBERS = 100
_END = b"PK\x05\x06"
_OTHER_ARCHIVES = (
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18",
)
_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile("[\x00-\x1f\x7f]")


@dataclass(slots=True)
class Budget:
    """What may still be unpacked, in all and in relation to what came."""

    packed: int
    depth: int = 0
    entries: int = 0
    unpacked: int = 0
    at: str = ""  # the entry that is looked at

    def entry(self) -> None:
        """One more entry."""
        self.entries += 1
        if self.entries > MAX_ENTRIES:
            raise Refusal(f"holds more than {MAX_ENTRIES:,} entries")

    def took(self, count: int) -> None:
        """So many more bytes were unpacked."""
        self.unpacked += count
        if self.unpacked > MAX_UNPACKED:
            raise Refusal(f"unpacks to more than {MAX_UNPACKED // 2**20} MiB{self.where()}")
        if self.unpacked > RATIO_FROM and self.unpacked > MAX_RATIO * self.packed:
            raise Refusal(f"unpacks to more than {MAX_RATIO} times its size{self.where()}")

    def where(self) -> str:
        """The entry at which it was seen, for a reason's end."""
        return f" ({self.at[:80]!r})" if self.at else ""

    def told(self) -> str:
        """For the person who uploaded it."""
        return f"{self.entries:,} entries, {self.unpacked:,} bytes unpacked"


def check_no_archive(stream: BinaryIO) -> str:
    """A file of another type that is a ZIP archive too is read differently by different programs."""
    size = size_of(stream)
    stream.seek(max(0, size - 66_000))
    tail = stream.read()
    if _END in tail and zipfile.is_zipfile(stream):
        raise Refusal("is two formats at once: an archive is hidden in it")
    return "one format"


def check_zip(stream: BinaryIO) -> str:
    """A ZIP archive and the archives within it."""
    budget = Budget(size_of(stream))
    _zip(stream, budget)
    return budget.told()


def check_gzip(stream: BinaryIO) -> str:
    """A compressed file or a compressed tar archive."""
    budget = Budget(size_of(stream))
    _gzip(stream, budget)
    return budget.told()


def check_tar(stream: BinaryIO) -> str:
    """A tar archive."""
    budget = Budget(size_of(stream))
    _tar(stream, budget)
    return budget.told()


def name_checked(name: str) -> str:
    """An entry's name, if it stays within the folder it is unpacked to."""
    parts = name.replace("\\", "/").split("/")
    if (
        not name
        or name.startswith(("/", "\\", "~"))
        or ".." in parts
        or _DRIVE.match(name)
        or _CONTROL.search(name)
    ):
        raise Refusal(f"an entry would land outside of its folder ({name[:80]!r})")
    if len(name) > 512 or len(parts) > 64:
        raise Refusal("an entry's name is too long")
    return name


def _zip(stream: BinaryIO, budget: Budget) -> None:
    _directory_checked(stream)
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = archive.infolist()
            _entries_checked(entries, budget)
            for entry in entries:
                if not entry.is_dir():
                    _entry(archive, entry, budget)
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        EOFError,
        ValueError,
        RuntimeError,
        struct.error,
        OSError,
    ):
        malformed = "is not a well-formed ZIP archive, or uses a method that is not taken"
        raise Refusal(f"{malformed}{budget.where()}") from None


def _directory_checked(stream: BinaryIO) -> None:
    """The central directory is read whole by zipfile, so its size is capped first."""
    size = size_of(stream)
    stream.seek(max(0, size - 65_557))
    tail = stream.read()
    usual = tail[-22:]
    at = len(tail) - 22 if usual[:4] == _END and usual[-2:] == b"\0\0" else tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise Refusal("is not a ZIP archive")
    _, here, count, length, start = struct.unpack("<HHHII", tail[at + 6 : at + 20])
    if 0xFFFF in (here, count) or 0xFFFFFFFF in (length, start):
        raise Refusal("is a ZIP64 archive, which is not taken")
    if length > _MAX_DIRECTORY or count > MAX_ENTRIES:
        raise Refusal(f"holds more than {MAX_ENTRIES:,} entries")


def _entries_checked(entries: list[zipfile.ZipInfo], budget: Budget) -> None:
    names: set[str] = set()
    end = 0
    for entry in sorted(entries, key=lambda one: one.header_offset):
        budget.entry()
        name = name_checked(entry.orig_filename).rstrip("/").casefold()
        mode = entry.external_attr >> 16
        if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_IFMT(mode) == 0):
            raise Refusal(f"holds a link or a device ({entry.filename[:80]!r})")
        if entry.flag_bits & 0x2041:
            raise Refusal(f"is encrypted, so that it cannot be checked ({entry.filename[:80]!r})")
        if name in names:
            raise Refusal(f"holds two entries of one name ({entry.filename[:80]!r})")
        if entry.header_offset < end:
            raise Refusal(f"its entries overlap ({entry.filename[:80]!r})")
        names.add(name)
        end = entry.header_offset + 30 + entry.compress_size
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise Refusal(f"unpacks to more than {MAX_UNPACKED // 2**20} MiB")


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, budget: Budget) -> None:
    budget.at = entry.filename
    with archive.open(entry) as content:
        _unpack(_counted(_pieces(content), budget), budget, entry.filename)


def _pieces(content: IO[bytes]) -> Iterator[bytes]:
    while piece := content.read(CHUNK):
        yield piece


def _unpack(pieces: Iterator[bytes], budget: Budget, name: str) -> None:
    """Read an entry to its end; look into it if it is an archive itself. `pieces` are counted already."""
    head = next(pieces, b"")
    if head.startswith(_OTHER_ARCHIVES):
        raise Refusal(f"holds an archive that cannot be looked into ({name[:80]!r})")
    look = next((look for known, look in _LOOK if known(head)), None)
    if look is None:
        for _ in pieces:
            pass
        return
    if budget.depth >= MAX_DEPTH:
        raise Refusal(f"nests archives deeper than {MAX_DEPTH}")
    with tempfile.SpooledTemporaryFile(max_size=1 << 20) as kept:
        kept.write(head)
        kept.writelines(pieces)
        budget.depth += 1
        look(cast(BinaryIO, kept), budget)
        budget.depth -= 1


def _counted(pieces: Iterator[bytes], budget: Budget) -> Iterator[bytes]:
    for piece in pieces:
        budget.took(len(piece))
        yield piece


def _gzip(stream: BinaryIO, budget: Budget) -> None:
    pieces = _counted(_inflated(stream), budget)
    head = next(pieces, b"")
    if tarfiles.is_tar(head):
        _tar_entries(chain([head], pieces), budget)
        return
    budget.entry()
    _unpack(chain([head], pieces), budget, "the compressed file")


def _inflated(stream: BinaryIO) -> Iterator[bytes]:
    """A gzip stream's content in pieces of at most a chunk; all of its members."""
    unpack, members = zlib.decompressobj(31), 0
    for piece in chunks(stream):
        waiting = piece
        while waiting:
            try:
                if found := unpack.decompress(waiting, CHUNK):
                    yield found
            except zlib.error:
                raise Refusal("is not a well-formed gzip file") from None
            waiting = unpack.unconsumed_tail
            if unpack.eof:
                waiting, unpack, members = (
                    unpack.unused_data.lstrip(b"\0"),
                    zlib.decompressobj(31),
                    members + 1,
                )
            if members > _MAX_MEMBERS:
                raise Refusal("is put together of too many gzip files")
    if not members:
        raise Refusal("the gzip file ends in the middle")


def _tar(stream: BinaryIO, budget: Budget) -> None:
    _tar_entries(_counted(chunks(stream), budget), budget)


def _tar_entries(pieces: Iterator[bytes], budget: Budget) -> None:
    for entry in tarfiles.entries(pieces):
        budget.entry()
        budget.at = name_checked(entry.name)
        if entry.is_link_or_device:
            raise Refusal(f"holds a link or a device ({entry.name[:80]!r})")
        _unpack(entry.content, budget, entry.name)


_LOOK: tuple[tuple[Callable[[bytes], bool], Callable[[BinaryIO, Budget], None]], ...] = (
    (lambda head: head.startswith(b"PK\x03\x04"), _zip),
    (lambda head: head.startswith(b"\x1f\x8b"), _gzip),
    (tarfiles.is_tar, _tar),
)
