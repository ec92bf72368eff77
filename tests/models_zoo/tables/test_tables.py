"""Tables are read as they were written, and what is hostile or damaged is refused within the limits."""

import csv
import io
import json
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_zoo.tables.common import Refused
from models_zoo.tables.delimited import MOST_LINES, TORN, read_delimited
from tests.models_zoo.tables.expected import FLAT, ROWS, TURNS

HERE = Path(__file__).parent
REFUSED = 3


def limited(content: bytes, folder: Path, **wish: Any) -> tuple[int, str, str]:
    """The process's status, its rows and its words."""
    (folder / "table").write_bytes(content)
    asked = {"form": "csv", "columns": None, "rows": 100} | wish
    with (folder / "table").open("rb") as source, (folder / "rows").open("wb") as rows:
        command = [sys.executable, "-m", "models_zoo.tables", json.dumps(asked)]
        done = subprocess.run(command, stdin=source, stdout=rows, stderr=subprocess.PIPE, check=False)
    with (folder / "rows").open() as rows_made:
        return done.returncode, rows_made.read(1_000_000), done.stderr.decode()


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Reads a Parquet file of those beside this: its head and rows; or the status and words of what is refused."""

    def run(name: str, **wish: Any) -> Any:
        status, rows, said = limited(
            (HERE / f"{name}.parquet").read_bytes(), tmp_path, form="parquet", **({"rows": 30_000} | wish)
        )
        if status:
            return status, said.strip()
        head, *lines = rows.splitlines()
        return json.loads(head), [json.loads(line.partition("\t")[2]) for line in lines]

    return run


@pytest.mark.parametrize("kind", ["snappy_v1", "gzip_v2"])
def test_it_works(read: Any, kind: str) -> None:
    """Text with gaps, numbers, truth values, lists, lists of groups."""
    head, found = read(kind)
    assert head == {"columns": [*FLAT, "messages"], "unread": {}}
    assert len(found) == ROWS
    for name, values in (FLAT | {"messages": TURNS}).items():
        assert [row[name] for row in found] == values


def test_only_the_columns_and_rows_that_are_asked_for_are_read(read: Any) -> None:
    assert read("snappy_v1", columns=["label"], rows=2)[1] == [{"label": "joy"}, {"label": "anger"}]


def test_what_cannot_be_read_is_said(read: Any) -> None:
    head, rows = read("dates_zstd")
    assert (head["columns"], list(head["unread"])) == (["text", "bytes", "share", "a.b"], ["day"])
    assert rows[0] == {"text": "a", "bytes": "old writers", "share": None, "a.b": 1}
    assert rows[1] == {"text": "b", "bytes": "mark text so: ö", "share": 0.5, "a.b": 2}
    assert read("dates_zstd", columns=["a.b"])[1] == [{"a.b": 1}, {"a.b": 2}]
    status, said = read("dates_zstd", columns=["day"])
    assert (status, said.startswith("column day holds dates without a time")) == (REFUSED, True)
    assert read("not_utf8") == (REFUSED, "has a cell that is not UTF-8")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        # a column of one long text that its dictionary names 20,000 times: 390 bytes that would become 2 GB
        ("bomb", "holds more than 64 MiB"),
        ("many", "holds more than 4,000,000 values"),
        # and a million times in one row
        ("one_row", "needs more than 768 MiB of memory to be read"),
    ],
)
def test_what_is_small_and_becomes_large_is_refused(read: Any, name: str, said: str) -> None:
    assert read(name) == (REFUSED, said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is cut off"),
        (b"PAR1PAR1", "is cut off"),
        (b"PAR1" + b"\0" * 20 + b"PARE", "is encrypted"),
        (b"PAR1" + struct.pack("<I", 9) + b"PAR1", "is damaged"),
    ],
)
def test_what_is_no_parquet_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    status, _, told = limited(content, tmp_path, form="parquet")
    assert (status, told.startswith(said)) == (REFUSED, True)


def test_damaged_parquet_is_read_or_refused() -> None:
    """Or ends the process, as a few of them do: then it goes on behind that one. No other error comes of any."""
    first, last = 0, 200
    while first < last:
        command = [sys.executable, "-m", "tests.models_zoo.tables.damage", str(first), str(last)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode <= 0, done.stderr
        first = last if done.returncode == 0 else first + len(done.stdout.split()) + 1


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


def told(*lines: str) -> list[tuple[str, Any]]:
    """Rows of a CSV with the columns a, b and c, those that cannot be read with why."""
    content = "\n".join(("a,b,c", *lines)).encode()
    return list(read_delimited(io.BytesIO(content), ["a"], tell=True).rows)


def test_a_row_that_cannot_be_read_takes_no_other_with_it() -> None:
    long = "\n".join(f'x{number}",' for number in range(MOST_LINES + 1))
    assert told('1,"open,2', "3,4,5") == [("line 2", TORN), ("line 3", {"a": "3"})]
    assert told("1,2,3", '4,5,"open') == [("line 2", {"a": "1"}), ("line 3", TORN)]
    assert told("1,2", '3,"x"y,4', "5,6,7") == [
        ("line 2", "has 2 cells, the header has 3"),
        ("line 3", "cannot be read: ',' expected after '\"'"),
        ("line 4", {"a": "5"}),
    ]
    assert told('1,"open,2', '3,"open,4', "5,6,7")[2:] == [("line 4", {"a": "5"})]
    assert told('1,"open,2', "3,4,5", '6,7",8') == [
        ("line 2", TORN),
        ("line 3", {"a": "3"}),
        ("line 4", {"a": "6"}),
    ]
    assert told('1,"two', "", 'lines",3', "4,5,6") == [("line 2", {"a": "1"}), ("line 5", {"a": "4"})]
    assert told(f'1,"{long}"', "4,5,6")[-1] == (f"line {MOST_LINES + 3}", {"a": "4"})


@given(st.lists(st.tuples(*[st.text('ab", \n')] * 3)))
def test_what_is_well_written_is_read_either_way(rows: list[tuple[str, str, str]]) -> None:
    """But for texts of many lines, and lines in a text that are rows."""
    given = [row for row in rows if not any("\n" in cell and "," in cell for cell in row)]
    out = io.StringIO()
    csv.writer(out).writerows([("a", "b", "c"), *given])
    if all(cell.count("\n") < MOST_LINES // 3 for row in given for cell in row):
        content = out.getvalue().encode()
        strict = list(read_delimited(io.BytesIO(content), None).rows)
        assert list(read_delimited(io.BytesIO(content), None, tell=True).rows) == strict


@given(st.binary(max_size=300) | st.text('a,"\n', max_size=200).map(str.encode))
def test_any_bytes_have_rows_or_reasons(content: bytes) -> None:
    with suppress(Refused):
        found = list(read_delimited(io.BytesIO(content), None, tell=True).rows)
        places = [int(where.removeprefix("line ")) for where, _ in found]
        assert places == sorted(set(places))


@given(content=st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_csv_or_refused(content: bytes) -> None:
    with suppress(Refused):
        assert all(row.keys() for _, row in read_delimited(io.BytesIO(content), None).rows)


def test_the_process_says_why_or_gives_rows(tmp_path: Path) -> None:
    rows = '{"columns": ["a", "b"], "unread": {}}\nline 2\t{"a": "1", "b": "2"}\n'
    assert limited(b"a;b\n1;2\n", tmp_path) == (0, rows, "")
    assert limited(b"a;b\n1;2;3\n", tmp_path)[::2] == (3, "line 2: has 3 cells, the header has 2\n")
