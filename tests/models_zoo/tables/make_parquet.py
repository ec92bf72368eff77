"""How the files beside this were made: `python make_parquet.py` with pyarrow 26, which Rootstock itself does not need."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
ROWS = 300
TURNS = [
    None
    if n % 7 == 3
    else [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n % 5}" * (n % 4)}]
    for n in range(ROWS)
]
FLAT = {
    "text": [None if n % 11 == 5 else f"text {n} äöü" for n in range(ROWS)],
    "label": [("joy", "anger", "fear")[n % 3] for n in range(ROWS)],
    "number": [n * 1_000_003 for n in range(ROWS)],
    "share": [n / 8 for n in range(ROWS)],
    "flag": [None if n % 5 == 1 else n % 2 == 0 for n in range(ROWS)],
    "tags": [["B-X"] * (n % 3) for n in range(ROWS)],
}
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


def main() -> None:
    nested = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    table = pa.table(FLAT | {"messages": pa.array(TURNS, nested)})
    for name, options in KINDS.items():
        pq.write_table(table, HERE / f"{name}.parquet", store_schema=False, **options)
    odd = pa.table({"day": pa.array([0, 1], pa.date32()), "text": ["a", "b"]})
    pq.write_table(odd, HERE / "dates_zstd.parquet", compression="zstd", store_schema=False)
    pq.write_table(odd, HERE / "dates.parquet", store_schema=False)


if __name__ == "__main__":
    main()
