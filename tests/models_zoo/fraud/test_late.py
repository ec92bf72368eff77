"""A payment that arrives late scores about as it would have in order, and no burst is seen that was none."""

import numpy as np
import pytest

from models_zoo.fraud.causal import NAMES, features
from models_zoo.fraud.causal.view import DAY, HOUR
from models_zoo.fraud.events import labels, payments
from models_zoo.fraud.generator import generate
from models_zoo.fraud.history import MemoryHistory, neighbourhood
from models_zoo.fraud.scorer import Scorer
from models_zoo.fraud.streams import stream_surprises
from models_zoo.fraud.worlds import labelled

LATE = {"an hour": HOUR, "two days": 2 * DAY, "twenty days": 20 * DAY}


@pytest.fixture(scope="module")
def world():
    """Payments of a month before the end that are scored, which of them are fraud, and a history without them."""
    made = generate(17, 300, 60)
    batch, known = labelled(made)
    fraud = np.array([bool(one.typology) for one in made])
    day = (batch["time"] - batch["time"].min()) / DAY
    inside, random = (day > 30) & (day < 39), np.random.default_rng(0)
    genuine = random.permutation(np.nonzero(inside & ~fraud)[0])[:600]
    chosen = np.concatenate([genuine, np.nonzero(inside & fraud)[0]])
    rest = np.delete(batch, chosen)
    history = MemoryHistory()
    history.append(rest, stream_surprises(rest))
    history.label(known[~np.isin(known["payment"], batch["sequence"][chosen])])
    return batch, chosen, fraud[chosen], history


def scores(world, late):
    """Probabilities of the chosen payments that arrive so much late, and whether each is flagged."""
    batch, chosen, _, history = world
    given = batch[chosen]
    arrival = np.searchsorted(batch["time"], given["time"] + late)
    given["sequence"] = batch["sequence"][np.minimum(arrival, len(batch) - 1)] if late else given["sequence"]
    found = Scorer().score(neighbourhood(history, given))
    return np.array([one.probability for one in found]), np.array([one.outcome != "approve" for one in found])


@pytest.fixture(scope="module")
def in_order(world):
    return scores(world, 0.0)


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
def test_a_late_payment_scores_about_as_in_order(world, in_order, late):
    found, flagged = scores(world, late)
    fraud = world[2]
    assert fraud.sum() > 10
    assert found[~fraud].mean() < in_order[0][~fraud].mean() + 0.01
    assert found[fraud].mean() > 0.8 * in_order[0][fraud].mean()
    assert flagged[~fraud].mean() <= in_order[1][~fraud].mean() + 0.01
    assert flagged[fraud].mean() >= in_order[1][fraud].mean() - 0.1


def test_what_was_made_after_a_late_payment_is_no_burst():
    """Three payments a day for twenty days, and then one from before them: nothing happened within an hour of it."""
    rows = [(n, 1e9 + n * 8 * HOUR, 1, 2 + n % 5, 0, 0, 20.0, 0) for n in range(1, 61)]
    late = (61, 1e9 + 12 * HOUR, 1, 9, 0, 0, 20.0, 0)
    history = MemoryHistory()
    history.append(payments(rows), np.ones(60, np.float32))
    table = features(neighbourhood(history, payments([late])))[0]
    found = dict(zip(NAMES, table.tolist(), strict=True))
    assert (found["payer_out_count_1h"], found["payer_out_count_24h"]) == (0, 4)
    assert found["payer_out_since"] == 4
    assert found["payer_first_seen"] == pytest.approx((60 * 8 - 12) / 24)
    assert found["hour"] == pytest.approx((1e9 + 12 * HOUR) % DAY / HOUR, abs=1e-3)


def test_payments_of_a_list_in_any_order_are_a_burst_all_the_same():
    rows = [(n, 1e9 - n * 5.0, 1, 2 + n, 0, 0, 20.0, 0) for n in range(1, 12)]
    history = MemoryHistory()
    history.append(payments(rows), np.ones(11, np.float32))
    found = features(neighbourhood(history, payments(rows)))[:, NAMES.index("payer_out_count_1h")]
    assert found.tolist() == list(range(11))


def test_what_is_dated_back_is_not_known_as_genuine_for_that():
    """A payee whose last six payments are known as fraud, then one euro dated eight days back that has just come."""
    rows = [(n, 1e9 + n * HOUR, 10 + n, 1, 0, 0, 300.0, 3) for n in range(1, 7)]
    history = MemoryHistory()
    history.append(payments(rows), np.ones(6, np.float32))
    history.label(labels([(6 + n, 1e9 + 7 * HOUR, n, 1) for n in range(1, 7)]))
    backdated = payments([(13, 1e9 - 8 * DAY, 30, 1, 0, 0, 1.0, 3)])
    run = NAMES.index("payee_run")
    asked = [(14, 1e9 + 8 * HOUR, 40, 1, 0, 0, 300.0, 3), (15, 1e9 - 8 * DAY, 40, 1, 0, 0, 300.0, 3)]
    before = features(neighbourhood(history, payments(asked)))[:, run]
    history.append(backdated, np.ones(1, np.float32))
    after = features(neighbourhood(history, payments(asked)))[:, run]
    assert before.tolist() == after.tolist() == [6, 6]
