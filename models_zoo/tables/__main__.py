"""`python -m models_zoo.tables '{"form": "csv", "columns": null, "rows": 20}' < FILE`: rows within limits.

FILE is a regular file on standard input. Standard output begins with `{"columns": [...], "unread": {...}}`; each
further line is the row's place, a tab, and the row as JSON; with `"tell": true` a row of CSV that cannot be read is a
text there, the reason why. A file that cannot be read ends it with status 3 and the
reason on standard error. A process that breaks a limit dies.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import sys
from itertools import islice
from typing import Any, BinaryIO

from models_zoo.tables.common import Refused, Table

MEMORY_BYTES = 768 << 20  # of address space; pyarrow's libraries take 280 of the 768 MiB
OUTPUT_BYTES = 64 << 20
SECONDS = 30  # of processor time
REFUSED = 3


def limit() -> None:
    """From here on the process stays within the limits."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def main(asked: str) -> None:
    """Write the rows that are asked for."""
    limit()
    wish = json.loads(asked)
    try:
        table = _opened(sys.stdin.buffer, wish)
        out = sys.stdout
        out.write(json.dumps({"columns": table.columns, "unread": table.unread}) + "\n")
        for where, row in islice(table.rows, wish["rows"]):
            out.write(f"{where}\t{json.dumps(row, ensure_ascii=False, allow_nan=False)}\n")
        out.flush()
    except Refused as refusal:
        _end(str(refusal))
    except (MemoryError, RecursionError):
        _end(f"needs more than {MEMORY_BYTES >> 20} MiB of memory to be read")
    except OSError as error:
        _end(
            f"holds more than {OUTPUT_BYTES >> 20} MiB"
            if error.errno == errno.EFBIG
            else "cannot be read to its end"
        )


def _opened(stream: BinaryIO, wish: dict[str, Any]) -> Table:
    if wish["form"] == "csv":
        from models_zoo.tables.delimited import read_delimited

        return read_delimited(stream, wish["columns"], tell=wish.get("tell", False))
    # one thread, and nothing reserved ahead
    os.environ |= {"ARROW_DEFAULT_MEMORY_POOL": "system", "OPENBLAS_NUM_THREADS": "1"}
    from models_zoo.tables.parquet import read_parquet

    return read_parquet(stream, wish["columns"])


def _end(reason: str) -> None:
    print(reason[:500], file=sys.stderr)  # noqa: T201  (the protocol)
    sys.stderr.flush()
    os._exit(REFUSED)  # what is left to write may be what cannot be written


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    main(sys.argv[1])
