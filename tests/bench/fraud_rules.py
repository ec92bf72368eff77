"""What rules add to the scoring of payments: `python tests/bench/fraud_rules.py`.

The worker's way from neighbourhoods that are read already to decisions, in one process: scores alone, and with 50 rules
in force that read one to four facts each and a list of 10,000 accounts. A fact is high in three of a hundred payments.
In batches of 100 and singly; processor time, so other work on the machine hardly shows.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

ROOT = Path(__file__).resolve().parents[2]
sys.path[0:1] = [str(ROOT / "platform"), str(ROOT)]  # not this folder: it holds no packages
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rootstock.settings")

import django  # noqa: E402

django.setup()

import numpy as np  # noqa: E402

from apps.fraud.deciding import decide_all  # noqa: E402
from apps.fraud.rules.lists import Entry, Lists  # noqa: E402
from apps.fraud.rules.past import History, hits_of  # noqa: E402
from apps.fraud.rules.ruleset import Rules, RuleSet  # noqa: E402
from models_zoo.fraud.facts import MEANINGS  # noqa: E402
from models_zoo.fraud.history import Neighbourhood  # noqa: E402
from models_zoo.fraud.scorer import Scorer  # noqa: E402
from models_zoo.fraud.streams import Past  # noqa: E402
from models_zoo.fraud.worlds import WARM_UP, stream  # noqa: E402
from tests.bench.report import Bar, report  # noqa: E402

RULES, LISTED, BATCH = 50, 10_000, 100
SHAPES = (
    "{a} > {high_a}",
    "{a} > {high_a} and amount / 2 > 10",
    '({a} > {high_a} or {b} > {high_b}) and channel in ["instant", "online"] and not has_merchant',
)
BARS = [Bar("ratio_in_lists", "<=", 1.25)]


def rules(facts: list[dict[str, float]]) -> RuleSet:
    """Fifty rules of three shapes over all facts, and a list."""
    names = sorted(MEANINGS)
    high = {name: f"{np.quantile([one[name] for one in facts], 0.97):.4f}" for name in names}
    made = []
    for n in range(RULES):
        a, b = names[n % len(names)], names[(n * 7 + 3) % len(names)]
        when = SHAPES[n % 3].format(a=a, b=b, high_a=high[a], high_b=high[b])
        made.append({"code": f"R{n}", "text": "A rule", "points": 10, "when": when})
    definition = {
        "review": 200,
        "decline": 400,
        "typologies": [{"name": "all", "weight": 1.0, "rules": made}],
    }
    entries = (("deny", "payee", (-1 - n, 0), Entry(UUID(int=n))) for n in range(LISTED))
    return RuleSet(Rules.of("rules@1-bench", definition), Lists.of(1, entries))


def cost(work: Callable[[int], object], payments: int, seconds: float) -> float:
    """Processor microseconds of a payment; `work` is given the number of the call and decides on `payments`."""
    work(0)
    count, used, began = 0, time.process_time(), time.perf_counter()
    while time.perf_counter() - began < seconds:
        work(count)
        count += 1
    return (time.process_time() - used) * 1e6 / (count * payments)


def payloads(near: Neighbourhood) -> list[dict[str, Any]]:
    """As they travel on the lane."""
    names = near.payment.dtype.names or ()
    return [dict(zip(names, row.tolist(), strict=True)) for row in near.payment]


def on_history(past: Past, ours: RuleSet, scorer: Scorer) -> float:
    """Payments a second of a core that a back-test works out once it has read them."""
    history = History(past, np.zeros(len(past)), np.zeros(0))
    used = time.process_time()
    for _ in hits_of(history, np.arange(len(past)), [ours.rules], scorer.card.label_delay):
        pass
    return len(past) / (time.process_time() - used)


def main() -> None:
    """Print the figures and the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10)
    seconds = parser.parse_args().seconds
    scorer, near = Scorer(), stream(909, 300, 40).between(WARM_UP, 1e9).near
    sample = near.rows(slice(0, 4000))
    ours = rules(scorer.facts(sample))
    hits = decide_all(scorer.score(sample), scorer.facts(sample), payloads(sample), ours, scorer.card)
    metrics = {"rules_that_hold_each": float(np.mean([len(one.hits) for one in hits]))}
    for name, size in (("in_lists", BATCH), ("singly", 1)):
        batches = [near.rows(slice(at, at + size)) for at in range(0, 40 * size, size)]
        sent = [payloads(one) for one in batches]

        def alone(count: int, batches: Any = batches, sent: Any = sent) -> None:
            place = count % len(batches)
            scores = scorer.score(batches[place])
            decide_all(scores, [{}] * len(scores), sent[place], None, scorer.card)

        def ruled(count: int, batches: Any = batches, sent: Any = sent) -> None:
            place = count % len(batches)
            scores = scorer.score(batches[place])
            decide_all(scores, scorer.facts(batches[place]), sent[place], ours, scorer.card)

        without, with_rules = cost(alone, size, seconds), cost(ruled, size, seconds)
        metrics |= {
            f"us_without_{name}": without,
            f"us_with_{RULES}_rules_{name}": with_rules,
            f"per_second_with_rules_{name}": 1e6 / with_rules,
            f"ratio_{name}": with_rules / without,
        }
    metrics["history_per_second"] = on_history(near, ours, scorer)
    sys.stdout.write(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    report("fraud_rules", {name: round(value, 3) for name, value in metrics.items()}, BARS)


if __name__ == "__main__":
    main()
