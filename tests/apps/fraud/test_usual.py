"""Surprises of payments without decisions: read payer by payer, the same as when they had come one by one."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from apps.fraud import records
from apps.fraud.ingest import NewTransaction, counter_lock, listed, payments_store
from apps.fraud.payload import payloads_of
from apps.fraud.usual import surprises_of
from models_zoo.fraud.events import PAYMENT, WINDOW
from models_zoo.fraud.streams import stream_surprises
from rootstock.accounts.tenancy import tenant
from tests.apps.fraud.conftest import BASE

COUNT = 420


@pytest.fixture
def stored(bank):
    """PAYMENT of a busy account, quiet ones, and one that pays itself."""
    random = np.random.default_rng(8)
    given = [
        NewTransaction(
            external_id=f"u-{n}",
            payer="BUSY" if n % 3 else f"Q-{n % 7}",
            payee=("BUSY" if n % 2 else "SHOP") if n % 3 == 0 else f"P-{n % 5}",
            amount=Decimal(str(round(float(random.lognormal(3, 1)), 2))),
            currency="EUR" if n % 5 else "USD",
            channel="transfer",
            occurred_at=BASE + timedelta(minutes=n),
        )
        for n in range(1, COUNT + 1)
    ]
    given[100] = replace(given[100], payer="BUSY", payee="BUSY")
    with tenant(bank.organisation):
        rows = payments_store(counter_lock(bank.organisation), given, listed).rows
    return records.payments(payloads_of(rows))


@pytest.mark.parametrize(
    "some",
    [slice(None), slice(None, None, -1), [1, 418], [3], slice(0, 0)],
    ids=["all", "newest first", "far apart", "one", "none"],
)
def test_it_works(bank, stored, some):
    found = surprises_of(bank.organisation.pk, stored[some])
    assert np.array_equal(found, stream_surprises(stored)[some])


def test_it_reaches_beyond_a_window(stored):
    """What these tests ask is not answered by one reading alone."""
    assert (stored["payer"] == stored[1]["payer"]).sum() > 4 * WINDOW
    assert len(np.unique(stream_surprises(stored))) > COUNT / 2


def test_rings_hold_them(bank, stored):
    names = np.unique(stored["payer"])
    (events, *_) = records.events_before(bank.organisation.pk, names.tolist(), [COUNT + 1] * len(names), 96)
    outgoing = events[events["outgoing"] == 1]["sequence"] - 1
    own = events[events["outgoing"] == 1]["surprise"]
    assert np.array_equal(own, stream_surprises(stored)[outgoing])


def test_another_organisation_has_its_own(bank, stored):
    assert (surprises_of(bank.other.pk, stored) == 1).all()
    assert stored.dtype == PAYMENT
