"""Tables are read as they were written, and what is hostile or damaged is refused within the limits."""

import io
import json
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_zoo.tables.common import Refused
from models_zoo.tables.delimited import read_delimited
from models_zoo.tables.parquet import read_parquet
from models_zoo.tables.parquet.codecs import GZIP, SNAPPY, decompress
from tests.models_zoo.tables.expected import FLAT, ROWS, TURNS

HERE = Path(__file__).parent
KINDS = ("snappy_v1", "gzip_v2", "plain_small_pages", "snappy_v2")
BYTES = {kind: (HERE / f"{kind}.parquet").read_bytes() for kind in KINDS}


def rows_of(table: Any) -> list[dict[str, Any]]:
    return [row for _, row in table.rows]


def limited(content: bytes, folder: Path, **wish: Any) -> tuple[int, str, str]:
    """The process's status, its rows and its words."""
    (folder / "table").write_bytes(content)
    asked = {"form": "csv", "columns": None, "rows": 100} | wish
    with (folder / "table").open("rb") as source, (folder / "rows").open("wb") as rows:
        command = [sys.executable, "-m", "models_zoo.tables", json.dumps(asked)]
        done = subprocess.run(command, stdin=source, stdout=rows, stderr=subprocess.PIPE, check=False)
    with (folder / "rows").open() as rows_made:
        return done.returncode, rows_made.read(10_000), done.stderr.decode()


@pytest.mark.parametrize("kind", KINDS)
def test_it_works(kind: str) -> None:
    """As pyarrow wrote them: text with gaps, numbers, truth values, lists, lists of groups."""
    table = read_parquet(io.BytesIO(BYTES[kind]), None)
    found = rows_of(table)
    assert table.columns == [*FLAT, "messages"]
    assert len(found) == ROWS
    for name, values in (FLAT | {"messages": TURNS}).items():
        assert [row[name] for row in found] == values


def test_only_the_columns_that_are_asked_for_are_read() -> None:
    assert rows_of(read_parquet(io.BytesIO(BYTES["snappy_v1"]), ["label"]))[:2] == [
        {"label": "joy"},
        {"label": "anger"},
    ]


def test_what_cannot_be_read_is_said() -> None:
    content = (HERE / "dates.parquet").read_bytes()
    table = read_parquet(io.BytesIO(content), None)
    assert (table.columns, list(table.unread)) == (["text"], ["day"])
    with pytest.raises(Refused, match="dates, decimals"):
        read_parquet(io.BytesIO(content), ["day"])
    zstd = read_parquet(io.BytesIO((HERE / "dates_zstd.parquet").read_bytes()), ["text"])
    with pytest.raises(Refused, match="Zstandard"):
        list(zstd.rows)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_damaged_parquet_is_read_or_refused(data: st.DataObject, kind: str) -> None:
    damaged = bytearray(BYTES[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    kept = data.draw(st.integers(0, len(damaged))) if data.draw(st.booleans()) else len(damaged)
    with suppress(Refused):
        rows_of(read_parquet(io.BytesIO(bytes(damaged[:kept])), None))


def test_a_page_is_no_larger_than_it_says() -> None:
    bomb = zlib.compress(b"0" * 10_000_000, wbits=31)
    with pytest.raises(Refused, match="damaged"):
        decompress(GZIP, bomb, 11_000_000)
    assert len(decompress(GZIP, bomb, 1_000)) == 1_000
    again = b"\x80\x80\x80\x08" + b"\x00a" + b"\xfe\x01\x00" * 1000  # says 16 MiB, copies one byte on and on
    with pytest.raises(Refused, match="damaged"):
        decompress(SNAPPY, again, 16 << 20)


@pytest.mark.parametrize(
    "content", [b"", b"PAR1PAR1", b"PAR1" + b"\0" * 20 + b"PARE", b"PAR1" + struct.pack("<I", 9) + b"PAR1"]
)
def test_what_is_no_parquet_is_refused(content: bytes) -> None:
    with pytest.raises(Refused):
        read_parquet(io.BytesIO(content), None)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_csv_has_any_usual_separator(mark: str) -> None:
    lines = f'text{mark}label\r\n"one, two{mark}\nthree ""x"""{mark}joy\r\n\r\n=1+1{mark}\r\n'
    table = read_delimited(io.BytesIO(b"\xef\xbb\xbf" + lines.encode()), None)
    assert list(table.rows) == [
        ("line 2", {"text": f'one, two{mark}\nthree "x"', "label": "joy"}),
        ("line 5", {"text": "=1+1", "label": None}),  # text, and never a formula
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        ("text\nfür".encode("latin-1"), "not UTF-8 at byte 6"),
        ("text\nhi".encode("utf-16"), "UTF-16"),
        (b"a,b\n1,2\n1,2,3\n", "line 3: has 3 cells"),
        (b"a,a\n1,2\n", "two columns called a"),
        (b'a,b\n1,2\n"open,2\n', "line 3"),
        (b"a,b\n1," + b"x" * 1_100_000, "line 2"),
        (b",".join(b"c%d" % n for n in range(300)), "has 300 columns"),
    ],
)
def test_what_is_wrong_with_a_csv_is_told_by_its_line(content: bytes, said: str) -> None:
    with pytest.raises(Refused, match=said):
        list(read_delimited(io.BytesIO(content), None).rows)


@given(content=st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_csv_or_refused(content: bytes) -> None:
    with suppress(Refused):
        assert all(row.keys() for _, row in read_delimited(io.BytesIO(content), None).rows)


def test_the_process_says_why_or_gives_rows(tmp_path: Path) -> None:
    rows = '{"columns": ["a", "b"], "unread": {}}\nline 2\t{"a": "1", "b": "2"}\n'
    assert limited(b"a;b\n1;2\n", tmp_path) == (0, rows, "")
    assert limited(b"a;b\n1;2;3\n", tmp_path)[::2] == (3, "line 2: has 3 cells, the header has 2\n")


def test_the_process_ends_at_its_limits(tmp_path: Path) -> None:
    """A column of one long text that its dictionary names 20,000 times: 390 bytes that would become 2 GB."""
    status, _, said = limited((HERE / "bomb.parquet").read_bytes(), tmp_path, form="parquet", rows=20_000)
    assert (status, said) == (3, "holds more than 64 MiB\n")
