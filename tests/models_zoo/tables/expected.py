"""What the Parquet files beside this hold."""

from typing import Any

ROWS = 300
TURNS: list[Any] = [
    None
    if n % 7 == 3
    else [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n % 5}" * (n % 4)}]
    for n in range(ROWS)
]
FLAT: dict[str, list[Any]] = {
    "text": [None if n % 11 == 5 else f"text {n} äöü" for n in range(ROWS)],
    "label": [("joy", "anger", "fear")[n % 3] for n in range(ROWS)],
    "number": [n * 1_000_003 for n in range(ROWS)],
    "share": [n / 8 for n in range(ROWS)],
    "flag": [None if n % 5 == 1 else n % 2 == 0 for n in range(ROWS)],
    "tags": [["B-X"] * (n % 3) for n in range(ROWS)],
}
