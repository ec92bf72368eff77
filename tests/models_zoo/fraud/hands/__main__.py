"""Scores of all scenarios by a bundle: the folder given, or the shipped one."""

import sys
from pathlib import Path

from models_zoo.fraud.scorer import Scorer
from tests.models_zoo.fraud.hands.bank import Bank
from tests.models_zoo.fraud.hands.frauds import FRAUDS
from tests.models_zoo.fraud.hands.honest import HONEST, ordinary


def told(scores):
    return " ".join(f"{one.probability:.3f}{one.outcome[0]}" for one in scores)


def main(folder):
    scorer = Scorer(folder) if folder else Scorer()
    for wallet in (False, True):
        print(f"--- the bank {'tells' if wallet else 'does not tell'} the phone that paid by card;", end=" ")
        print(f"review from {scorer.card.review:.3f}")
        for name, one in ordinary(Bank(scorer, wallet)).items():
            print(f"  {name:32} {told([one])}")
        for name, scenario in (HONEST | FRAUDS).items():
            print(f"  {name:32} {told(scenario(Bank(scorer, wallet)))[:230]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
