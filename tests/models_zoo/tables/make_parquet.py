"""How the Parquet files beside this were made: `python -m tests.models_zoo.tables.make_parquet` with pyarrow 26.

Rootstock itself does without pyarrow.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.models_zoo.tables.expected import FLAT, TURNS

HERE = Path(__file__).parent
KINDS = {
    "snappy_v1": {"compression": "snappy"},
    "gzip_v2": {"compression": "gzip", "data_page_version": "2.0"},
    "plain_small_pages": {
        "compression": "none",
        "use_dictionary": False,
        "data_page_size": 512,
        "row_group_size": 90,
    },
    "snappy_v2": {"compression": "snappy", "data_page_version": "2.0", "use_dictionary": ["label"]},
}


def write(name: str, table: pa.Table, **options: object) -> None:
    pq.write_table(table, HERE / f"{name}.parquet", store_schema=False, **options)


def main() -> None:
    nested = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    table = pa.table(FLAT | {"messages": pa.array(TURNS, nested)})
    for name, options in KINDS.items():
        write(name, table, **options)
    odd = pa.table({"day": pa.array([0, 1], pa.date32()), "text": ["a", "b"]})
    write("dates_zstd", odd, compression="zstd")
    write("dates", odd)
    bomb = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), ["x" * 100_000])
    write("bomb", pa.table({"text": bomb}), compression="gzip")


if __name__ == "__main__":
    main()
