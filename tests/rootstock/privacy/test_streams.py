"""Contents under a person's key, piece by piece: read anywhere, and not to be cut, moved or opened by another key."""

import io
import random
from uuid import uuid4

import pytest

from rootstock.privacy.keyring import SEAL_BYTES, Tampered
from rootstock.privacy.keys import SubjectKey
from rootstock.privacy.streams import PIECE, SealedWriter, sealed_reader

STORED = PIECE + SEAL_BYTES


def key() -> SubjectKey:
    return SubjectKey.make(uuid4(), "support.customer", None)


def sealed(owner: SubjectKey, content: bytes, name: str = "a/b") -> bytes:
    target = io.BytesIO()
    writer = SealedWriter(target, owner, name)
    for start in range(0, len(content), 10_000):
        writer.write(content[start : start + 10_000])
    writer.finish()
    return target.getvalue()


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 77])
def test_it_works(size: int) -> None:
    owner, content = key(), random.Random(size).randbytes(size)
    stored = sealed(owner, content)
    assert content == b"" or content[:16] not in stored or size < 16
    with sealed_reader(io.BytesIO(stored), owner, "a/b") as reader:
        assert reader.read() == content
        assert reader.seek(0, io.SEEK_END) == size
        for start in (0, size // 2, max(0, size - 5)):
            reader.seek(start)
            assert reader.read(10) == content[start : start + 10]


def test_what_was_changed_does_not_open() -> None:
    owner, content = key(), random.Random(1).randbytes(2 * PIECE + 5)
    stored = sealed(owner, content)
    swapped = stored[STORED : 2 * STORED] + stored[:STORED] + stored[2 * STORED :]
    for broken in (stored[: 2 * STORED], stored[:-1], stored[STORED:], swapped, b"", stored[:10]):
        with pytest.raises(Tampered):
            sealed_reader(io.BytesIO(broken), owner, "a/b").read()
    for other, name in ((owner, "a/c"), (key(), "a/b")):
        with pytest.raises(Tampered):
            sealed_reader(io.BytesIO(stored), other, name).read()
