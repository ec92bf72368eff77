"""How the Parquet files beside this were made: `python -m tests.models_zoo.tables.make_parquet` with pyarrow 26.

They are kept, so that no test imports pyarrow into its own process.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.models_zoo.tables.expected import FLAT, TURNS

HERE = Path(__file__).parent
KINDS = {
    "snappy_v1": {"compression": "snappy"},
    "gzip_v2": {"compression": "gzip", "data_page_version": "2.0"},
}


def write(name: str, table: pa.Table, **options: object) -> None:
    pq.write_table(table, HERE / f"{name}.parquet", store_schema=False, **options)


def main() -> None:
    nested = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    table = pa.table(FLAT | {"messages": pa.array(TURNS, nested)})
    for name, options in KINDS.items():
        write(name, table, **options)
    odd = pa.table(
        {
            "day": pa.array([0, 1], pa.date32()),
            "text": ["a", "b"],
            "bytes": [b"old writers", "mark text so: ö".encode()],
            "share": [float("nan"), 0.5],
            "a.b": [1, 2],
        }
    )
    write("dates_zstd", odd, compression="zstd")
    write("not_utf8", pa.table({"text": [b"fine", b"\xff"]}))
    bomb = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), ["x" * 100_000])
    write("bomb", pa.table({"text": bomb}), compression="gzip")
    many = pa.table({"number": pa.array([0] * 4_000_001, pa.int8())})
    write("many", many, compression="gzip")
    wide = pa.table({"one": pa.array([["x" * 1000] * 1_000_000], pa.list_(pa.string()))})
    write("one_row", wide, compression="gzip")


if __name__ == "__main__":
    main()
