"""A trivial rule does not solve a generated world, and the report would say so if one did."""

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from models_zoo.fraud.causal.view import DAY, HOUR
from models_zoo.fraud.difficulty import RULES, difficulty, rule_values
from models_zoo.fraud.generator import Generated, generate
from models_zoo.fraud.typologies import CYCLE, GENUINE, TYPOLOGIES

pytestmark = pytest.mark.slow  # worlds of a thousand customers


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_it_works(seed):
    found = difficulty(generate(seed, 300, 40))
    assert set(found.counts) == set(found.best) == {GENUINE, *TYPOLOGIES}
    assert all(found.counts.values())
    assert found.counts[GENUINE] == sum(found.counts[name] for name in TYPOLOGIES)
    assert found.easy() == []


@pytest.fixture(scope="module")
def made():
    return generate(3, 300, 40)


def test_a_world_that_one_rule_solves_is_told(made):
    assert difficulty(made).easy() == []
    dear = [replace(one, amount=1e6) if one.typology else one for one in made]
    assert "amount finds fraud with precision 1.00" in difficulty(dear).easy()
    device = [
        replace(one, device=10**9 if one.typology else 10**6 + one.payer if one.device else 0) for one in made
    ]
    assert any(line.startswith("accounts of device finds fraud") for line in difficulty(device).easy())


def test_a_typology_that_one_rule_solves_is_told_although_fraud_as_a_whole_is_hard(made):
    dear = [replace(one, amount=1e6) if one.typology == CYCLE else one for one in made]
    told = difficulty(dear).easy()
    assert "amount finds layering_cycle with precision 1.00" in told
    assert not any(" finds fraud " in line for line in told)


def test_rules_see_only_what_was_before():
    made = generate(3, 60, 12)
    cut = len(made) // 2
    changed = made[:cut] + [replace(one, amount=77.0, payee=1, device=2) for one in made[cut:]]
    assert np.array_equal(rule_values(made)[:cut], rule_values(changed)[:cut])
    assert not np.array_equal(rule_values(made)[cut:], rule_values(changed)[cut:])


def test_what_the_rules_see():
    night, day = 2 * HOUR, 2 * DAY + 12 * HOUR
    made = [
        Generated(night, 1, 9, 10.0, "instant", device=50),
        Generated(night + 60, 2, 9, 30.0, "instant", device=50),
        Generated(night + 120, 9, 3, 40.0, "instant", device=51),
        Generated(day, 1, 9, 20.0, "instant", device=52),
    ]
    seen = [dict(zip(RULES, row, strict=True)) for row in rule_values(made).tolist()]
    assert [row["fan-in in 24 h"] for row in seen] == [1, 2, 1, 1]
    assert [row["new payee"] for row in seen] == [1, 1, 1, 0]
    assert [row["accounts of device"] for row in seen] == [1, 2, 1, 1]
    assert [row["night"] for row in seen] == [1, 1, 1, 0]
    assert seen[2]["pass-through in 24 h"] == 0
    assert seen[3]["amount to usual"] == 2
    assert seen[3]["new device"] == 1


def test_a_world_of_a_thousand_customers_and_75_days_is_made_in_seconds():
    began = time.process_time()
    generate(1, 1000, 75)
    assert time.process_time() - began < 10


def test_the_command_prints_the_table():
    command = [
        sys.executable,
        "-m",
        "models_zoo.fraud",
        "worlds",
        "--seed",
        "3",
        "--customers",
        "120",
        "--days",
        "30",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "best precision at recall 0.5" in done.stdout
    assert all(name in done.stdout for name in (*TYPOLOGIES, *RULES))
