"""What the state of payments takes of Valkey's memory: `python tests/bench/fraud_state.py [--accounts 20000]`.

Real rings, written by the serving history from a stream in PostgreSQL's form: a site's own Valkey is asked before and
after. Two fillings: rings that were cut and are full again, which is the most that a million accounts can take, and a
stream in which most accounts are quiet, as a bank's are.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[2]
sys.path[0:1] = [str(ROOT / "platform"), str(ROOT)]  # not this folder: it holds no packages

import numpy as np  # noqa: E402

from tests.bench.report import Bar, report  # noqa: E402
from tests.bench.stand import running  # noqa: E402

AT_ONCE = 500
QUIET = 12  # events of an account in the middle of the second filling; a few have thousands
BARS = [Bar("full_gib_per_million", "<=", 6.0)]


def main() -> None:
    """Print one table and the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=20_000)
    chosen = parser.parse_args()
    var = running.prepare_environment()
    os.environ["DJANGO_SETTINGS_MODULE"] = "rootstock.settings"
    import django

    django.setup()
    from rootstock import embedded

    embedded.ensure(var)
    try:
        metrics = filled(chosen.accounts)
    finally:
        embedded.stop(var)
        shutil.rmtree(var, ignore_errors=True)
    report("fraud_state", {name: round(value, 3) for name, value in metrics.items()}, BARS)


def filled(accounts: int) -> dict[str, float]:
    """Bytes of a ring and GiB of a million of them, for both fillings."""
    from apps.fraud.ring_scripts import CAPACITY, SLACK
    from rootstock.lanes import wire

    valkey, random = wire.connect(), np.random.default_rng(3)
    found: dict[str, float] = {"accounts": accounts}
    fillings = {
        "full": np.full(accounts, CAPACITY + SLACK),
        "bank": np.minimum((QUIET * random.lognormal(0, 1.2, accounts)).astype(int) + 1, CAPACITY + SLACK),
    }
    often = SLACK + 1  # so many events more, which a full ring cuts off
    for name, counts in fillings.items():
        before = valkey.info("memory")["used_memory"]
        write(valkey, counts, often, random)
        each = (valkey.info("memory")["used_memory"] - before) / accounts
        found |= {
            f"{name}_events_each": float(counts.mean()),
            f"{name}_bytes_each": each,
            f"{name}_bytes_an_event": each / counts.mean(),
            f"{name}_gib_per_million": each * 1e6 / 2**30,
        }
    return found


def write(valkey: Any, counts: Any, often: int, random: Any) -> None:
    """Rings with so many events each, by the script that serving appends with; of those that are full, `often` more
    came before."""
    from apps.fraud.ring_scripts import CAPACITY, SLACK
    from apps.fraud.rings import Change, Rings
    from models_zoo.fraud.events import EVENT

    rings, epoch = Rings(valkey, uuid4()), b"bench123"
    rings.begin(b"", epoch, 0)
    for start in range(0, len(counts), AT_ONCE):
        first, rest = {}, {}
        for count in counts[start : start + AT_ONCE].tolist():
            cut = often if count == CAPACITY + SLACK else 0
            events = np.zeros(count + cut, EVENT)
            events["sequence"] = np.arange(1, len(events) + 1)
            events["other"], events["time"] = random.integers(1, 2**62, len(events)), 1.7e9
            name, then = int(random.integers(1, 2**62)), count + 1
            first[name] = Change(events[:then].tobytes())
            if len(events) > then:
                rest[name] = Change(events[then:].tobytes())
        assert rings.append(epoch, 0, 10**6, 0, first) is not None
        assert rings.append(epoch, 0, 10**6, 0, rest) is not None


if __name__ == "__main__":
    main()
