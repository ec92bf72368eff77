"""A short run of tests/bench/random_kills.py: `kill -9` at random, nothing lost, nothing done twice."""

import pytest
from django.conf import settings

from tests.bench import random_kills

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # half a minute, unless the machine is busy
KILLS = 8


def test_it_works() -> None:
    found = random_kills.measure(kills=KILLS, seed=7, gap_s=0.4, var=settings.VAR_DIR / "random-kills")
    assert found["kills"] == KILLS
    assert found["succeeded"] > 3
    assert {name: found[name] for name in ("lost", "doubled", "stuck", "ended_not_once", "events_with_gaps")} == {
        "lost": 0, "doubled": 0, "stuck": 0, "ended_not_once": 0, "events_with_gaps": 0,
    }  # fmt: skip
