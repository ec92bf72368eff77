"""Histories in Valkey answer as the in-memory ones do, whatever happened to the rings."""

import re

import numpy as np
import pytest

from apps.fraud import records, state
from apps.fraud.ingest import NewTransaction, listed, payments_store
from apps.fraud.models import Decision, IngestCounter, Transaction
from apps.fraud.payload import account_key, payloads_of
from apps.fraud.services import _ranges
from apps.fraud.state import CAPACITY, ValkeyHistory
from models_zoo.fraud.events import WINDOW
from models_zoo.fraud.generator import START, generate
from models_zoo.fraud.history import MemoryHistory, Neighbourhood
from models_zoo.fraud.scorer import Scorer
from rootstock.accounts.tenancy import tenant
from tests.apps.fraud.conftest import body


def new(one, place):
    """A generated payment as a caller's."""
    from datetime import UTC, datetime
    from decimal import Decimal

    moment = datetime.fromtimestamp(START + one.time, UTC)
    names = f"g-{place}", f"a{one.payer}", f"a{one.payee}"
    return NewTransaction(*names, Decimal(f"{one.amount:.2f}"), "EUR", one.channel, moment)


@pytest.fixture(scope="module")
def made():
    """A generated stream in which shops have far more payments than a ring holds."""
    return [new(one, place) for place, one in enumerate(generate(8, 40, 30), start=1)]


@pytest.fixture
def stored(bank, made):
    """PAYMENT [N] of the stream, stored in the bank."""
    with tenant(bank.organisation):
        counter = IngestCounter.objects.create(organisation=bank.organisation)
        rows = payments_store(counter, made, listed).rows
    return records.payments(payloads_of(rows))


@pytest.fixture
def expected(stored):
    """The windows that the in-memory history gives."""
    history = MemoryHistory()
    history.append(stored, np.ones(len(stored), np.float32))
    return windows(history, stored)


def windows(history, batch):
    """Windows of both sides."""
    accounts = np.concatenate([batch["payer"], batch["payee"]])
    return history.before(accounts, np.tile(batch["sequence"], 2))


def serve(history, batch):
    """Append, then read."""
    history.append(batch, np.ones(len(batch), np.float32))
    return windows(history, batch)


def compare(found, expected, batch, total):
    """Windows of a part of the stream against those of the whole."""
    places = np.concatenate([batch["sequence"] - 1, batch["sequence"] - 1 + total])
    assert np.array_equal(found, expected[places])


@pytest.fixture
def history(bank, valkey):
    return ValkeyHistory(valkey, bank.organisation.pk)


@pytest.mark.parametrize("chunk", [1, 7, 256, 5000])
def test_it_works(history, stored, expected, chunk):
    part = stored[:60] if chunk == 1 else stored
    for start in range(0, len(part), chunk):
        batch = part[start : start + chunk]
        compare(serve(history, batch), expected, batch, len(stored))


def test_the_stream_outgrows_the_rings(stored):
    """Else the tests here would show less than they seem to."""
    _, counts = np.unique(np.concatenate([stored["payer"], stored["payee"]]), return_counts=True)
    assert counts.max() > CAPACITY + WINDOW


def test_rings_lost_in_the_middle_come_back(history, stored, expected, valkey, bank):
    half = len(stored) // 2
    serve(history, stored[:half])
    lost = list(valkey.scan_iter(f"fraud:*{bank.organisation.pk}*"))
    assert lost
    valkey.delete(*lost)
    for start in range(half, len(stored), 50):
        batch = stored[start : start + 50]
        compare(serve(history, batch), expected, batch, len(stored))


def test_single_rings_evicted(history, stored, expected, valkey, bank):
    rings = f"fraud:3:{bank.organisation.pk}:*"
    for number, start in enumerate(range(0, len(stored), 100)):
        batch = stored[start : start + 100]
        compare(serve(history, batch), expected, batch, len(stored))
        gone = sorted(valkey.scan_iter(rings))[number % 3 :: 3]
        if gone:
            valkey.delete(*gone)


def test_the_head_lost_alone(history, stored, expected, valkey, bank):
    """Rings without the hash that says how far they reach must not be believed."""
    serve(history, stored[:300])
    valkey.delete(f"fraud:3:{bank.organisation.pk}")
    compare(serve(history, stored[400:500]), expected, stored[400:500], len(stored))


def test_a_gap_is_filled_from_the_records(history, stored, expected):
    serve(history, stored[:100])
    compare(serve(history, stored[150:160]), expected, stored[150:160], len(stored))
    compare(serve(history, stored[160:200]), expected, stored[160:200], len(stored))


def test_a_wide_gap_begins_anew(history, stored, expected, monkeypatch):
    monkeypatch.setattr(state, "CATCH_UP", 50)
    serve(history, stored[:100])
    first = history._epoch
    compare(serve(history, stored[600:700]), expected, stored[600:700], len(stored))
    assert history._epoch != first
    compare(serve(history, stored[700:800]), expected, stored[700:800], len(stored))


def test_far_behind_the_head(history, stored, expected):
    """A batch that is scored after later payments: it sees only its own past."""
    serve(history, stored[-10:])
    for start in range(0, 600, 200):
        batch = stored[start : start + 200]
        compare(serve(history, batch), expected, batch, len(stored))


def test_out_of_order_and_twice(history, stored, expected):
    """Lanes may drain payments in any order, and retries repeat them."""
    order = np.random.default_rng(2).permutation(400)
    for start in range(0, 400, 80):
        batch = stored[:400][np.concatenate([order[start : start + 80], order[:5]])]
        compare(serve(history, batch), expected, batch, len(stored))


def test_two_workers_in_turn(history, stored, expected, bank, valkey):
    other = ValkeyHistory(valkey, bank.organisation.pk)
    for start in range(0, 600, 40):
        batch = stored[start : start + 40]
        compare(serve(other if start % 80 else history, batch), expected, batch, len(stored))


def test_keys_hold_no_account(history, stored, valkey, bank):
    serve(history, stored[:200])
    keys = [key.decode() for key in valkey.scan_iter(f"fraud:*{bank.organisation.pk}*")]
    assert len(keys) > 50
    form = rf"fraud:3:{bank.organisation.pk}(:[0-9a-f]{{12}}:[0-9a-f]{{16}})?"
    assert all(re.fullmatch(form, key) for key in keys)
    hashed = {account_key(bank.organisation.pk, f"a{number}") & (2**64 - 1) for number in range(2000)}
    assert {int(key.rpartition(":")[2], 16) for key in keys if key.count(":") == 4} <= hashed


def test_account_keys_differ_between_organisations(bank):
    ours, theirs = (account_key(one.pk, "GB29-0001") for one in (bank.organisation, bank.other))
    assert ours != theirs
    assert -(2**63) <= ours < 2**63


def test_rings_stay_small(history, stored, valkey, bank):
    serve(history, stored)
    rings = list(valkey.scan_iter(f"fraud:3:{bank.organisation.pk}:*"))
    assert max(valkey.zcard(ring) for ring in rings) <= CAPACITY + 1
    assert all(valkey.ttl(ring) > 0 for ring in rings)


def test_organisations_do_not_mix(history, stored, bank):
    serve(history, stored)
    assert [
        len(found) for found in records.events_before(bank.other.pk, stored["payer"][:3], [10**6] * 3, 9)
    ] == [0] * 3


def test_ranges_of_sequences():
    assert _ranges([1, 2, 3, 7, 9, 10]) == [[1, 3], [7, 7], [9, 10]]
    assert _ranges([]) == []


def test_any_decision_can_be_recomputed_from_the_records(api, bank, runtime):
    """Replay: what PostgreSQL holds gives the score that was decided, without any ring."""
    sent = [body(n, payee=f"S{n % 7}", payer=f"P{n % 3}", amount=f"{5 + n}.25") for n in range(1, 60)]
    for start in range(0, len(sent), 13):
        assert api.post("/fraud/transactions", sent[start : start + 13]).status_code == 200
    with tenant(bank.organisation):
        rows = list(Transaction.objects.order_by("sequence"))
        decided = list(Decision.objects.order_by("sequence").values_list("score", flat=True))
    batch = records.payments(payloads_of(rows))
    before = batch["sequence"].tolist()
    sides = [
        np.stack([
            state.window_of(found)
            for found in records.events_before(bank.organisation.pk, batch[side].tolist(), before, WINDOW)
        ])
        for side in ("payer", "payee")
    ]  # fmt: skip
    none = np.zeros_like(sides[0])
    replayed = Scorer().score(Neighbourhood(batch, *sides, none, none))
    assert [score.probability for score in replayed] == pytest.approx(decided, abs=2e-6)
