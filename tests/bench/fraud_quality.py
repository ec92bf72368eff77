"""`make bench`'s figures of fraud: how well weights and features rank, by the code that serves.

    python tests/bench/fraud_quality.py [--quick] [--only PART ...]

generated: a world that no shipped weights have seen, scored as in service; experts: each of them there, and
fusions without each; ablation: boosting without each group of features; own: models of two banks of their own
beside the shipped one; tuned: the smaller of them with and without tuning. handbook, sffsd: public streams through
`MemoryHistory`, features and boosting, trained on their past. windows: 64 against 128 events; fused: all experts.
amlsim, tolokers: accounts with one and with two hops.
The public sets are read from `ROOTSTOCK_DATA`; parts whose set is not there are left out. Each part's module says more.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from models_zoo.fraud.card import read_card
from models_zoo.fraud.experts import stored
from tests.bench.fraud import book_experts, graphs, handbook, own, sffsd, worlds
from tests.bench.report import Bar, report

BARS = (
    Bar("generated_ap", ">=", 0.7),
    Bar("generated_calibration_error", "<=", 0.01),
    Bar("single_score_cpu_median_ms", "<=", 25.0),
    Bar("features_us", "<=", 60.0),
    Bar("handbook_rows", ">=", 58_264),
    Bar("handbook_rows", "<=", 58_264),
    Bar("handbook_book_ap", ">=", 0.74),
    Bar("handbook_all_ap", ">=", 0.76),
    Bar("handbook_all_auc_knowable", ">=", 0.99),
    Bar("handbook_book_auc_knowable", ">=", 0.99),
    Bar("sffsd_time_auc", ">=", 0.87),
    Bar("sffsd_time_ap", ">=", 0.57),
    Bar("amlsim_hop_gain", ">=", 0.03),
    Bar("amlsim_2hop_ap", ">=", 0.83),
    Bar("tolokers_auc", ">=", 0.845),
)


def say(text: str) -> None:
    """Progress goes to standard error: the last line of standard output is the result."""
    print(text, file=sys.stderr, flush=True)


def parts(root: Path, quick: bool) -> dict[str, tuple[str, Callable[[], dict[str, float]]]]:
    """What is measured, by name: the file that it needs ("" for none), and how."""
    always = {"generated": ("", lambda: worlds.figures(quick))}
    if quick:
        return always
    return always | {
        **({"experts": ("", lambda: worlds.experts(say))} if stored.FUSION in read_card().experts else {}),
        "ablation": ("", lambda: worlds.ablations(say)),
        "own": ("", lambda: own.figures(say)),
        "tuned": ("", lambda: own.tuned(say)),
        "handbook": (handbook.FILE, lambda: handbook.figures(handbook.read(root), say)),
        "windows": (handbook.FILE, lambda: windows(root)),
        "fused": (handbook.FILE, lambda: book_experts.fused(handbook.read(root), say)),
        "sffsd": (sffsd.FILE, lambda: sffsd.figures(sffsd.read(root), say)),
        "amlsim": (f"{graphs.GRAPH}.nodes.csv.gz", lambda: graphs.amlsim(root, say)),
        "tolokers": (graphs.TOLOKERS, lambda: graphs.tolokers(root, 10, say)),
    }


def windows(root: Path) -> dict[str, float]:
    """The Handbook's validation week with longer windows."""
    return book_experts.windows(handbook.read(root), lambda size: handbook.read(root, size), say)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller generated world alone")
    parser.add_argument("--only", nargs="+", metavar="PART")
    given = parser.parse_args()
    root = Path(os.environ.get("ROOTSTOCK_DATA", "../shared/data"))
    figures: dict[str, float] = {}
    for name, (file, measure) in parts(root, given.quick).items():
        if (not given.only or name in given.only) and (not file or (root / file).exists()):
            say(name)
            figures |= measure()
    report("fraud_quality", figures, [bar for bar in BARS if bar.name in figures])


if __name__ == "__main__":
    main()
