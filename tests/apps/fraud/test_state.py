"""Histories in Valkey answer as the in-memory ones do, whatever happened to the rings."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.utils import timezone

from apps.fraud import records, state
from apps.fraud.ingest import NewTransaction, counter_lock, listed, numbers_take, payments_store
from apps.fraud.models import Decision, IngestCounter, Label, Transaction
from apps.fraud.payload import DEVICE, account_key, keys_of, payloads_of
from apps.fraud.replaying import StoredHistory
from apps.fraud.ring_scripts import CAPACITY, SLACK, UNKNOWN
from apps.fraud.rings import Rings
from apps.fraud.services import ranges_of
from apps.fraud.state import ValkeyHistory
from apps.fraud.stored import counters_before
from models_zoo.fraud.counters import counted
from models_zoo.fraud.events import EVENT, WINDOW
from models_zoo.fraud.generator import START, generate
from models_zoo.fraud.history import SIDES, MemoryHistory, neighbourhood, relative_amounts
from models_zoo.fraud.scorer import Scorer
from rootstock.accounts.tenancy import tenant
from tests.apps.fraud.conftest import body
from tests.fixtures.world import make_world

pytestmark = pytest.mark.xdist_group("rings")  # they share a stream that was stored
PIECE = 40


def new(one, place):
    """A generated payment as a caller's; every third by a device, every third to one shop, every fourth at a merchant,
    some to oneself, every eleventh late, some ahead of their arrival."""
    late = 86_400 * (place % 40) if place % 11 == 0 else 0
    moment = datetime.fromtimestamp(START + one.time - late, UTC)
    if place % 53 == 0:
        moment = timezone.now() + timedelta(hours=20)
    payee = one.payer if place % 97 == 0 else 1 if place % 3 == 1 else one.payee
    names = f"g-{place}", f"a{one.payer}", f"a{payee}"
    device = f"d{one.payer // 3}" if place % 3 == 0 else None
    merchant = f"m{one.payee % 2}" if place % 4 == 0 else None
    return NewTransaction(*names, Decimal(f"{one.amount:.2f}"), "EUR", one.channel, moment, device, merchant)


@pytest.fixture(scope="module")
def made():
    """A generated stream in which a shop has far more payments than a ring holds."""
    return [new(one, place) for place, one in enumerate(generate(11, 15, 60), start=1)]


@pytest.fixture(scope="module")
def shared(django_db_setup, django_db_blocker, made):
    """A bank that stored the stream, its rows, and what is expected of each: here only Valkey changes."""
    with django_db_blocker.unblock():
        bank = make_world()
        stored = stored_in(bank, made)
        return bank, stored, Expected(bank.organisation, stored)


@pytest.fixture
def bank(committed, shared, valkey):
    """That bank, with no rings."""
    forget(shared[0], valkey)
    return shared[0]


@pytest.fixture
def stored(shared):
    """PAYMENT [N] of the stream."""
    return shared[1]


@pytest.fixture
def expected(shared):
    return shared[2]


def stored_in(bank, made):
    """Labels come between the payments, and some payments have several."""
    random, rows = np.random.default_rng(5), []
    with tenant(bank.organisation):
        for start in range(0, len(made), PIECE):
            rows += payments_store(counter_lock(bank.organisation), made[start : start + PIECE], listed).rows
            chosen = random.integers(max(0, len(rows) - 300), len(rows), 5)
            label(bank, [(rows[place], bool(random.integers(2))) for place in chosen])
    return records.payments(payloads_of(rows))


def forget(bank, valkey):
    """All that Valkey holds of the bank; gives how many keys it was."""
    kept = list(valkey.scan_iter(f"fraud:*{bank.organisation.pk}*"))
    return valkey.delete(*kept) if kept else 0


def label(bank, given):
    """Labels as they are stored, without what is around them."""
    numbers = numbers_take(counter_lock(bank.organisation), len(given))
    Label.objects.bulk_create(
        Label(
            organisation_id=bank.organisation.pk, sequence=number, transaction=row, fraud=fraud, source="test",
            subject_id=row.payer_subject_id, received_at=timezone.now(),
        )
        for number, (row, fraud) in zip(numbers, given, strict=True)
    )  # fmt: skip


def assert_same(found, expected):
    """Counters, but for the rounding of sums that were added up in another order."""
    for name in ("count", "first", "last"):
        assert np.array_equal(found[name], expected[name]), name
    for name in ("counts", "sums"):
        assert np.allclose(found[name], expected[name], rtol=0, atol=1e-7), name


class Expected:
    """What the in-memory history gives for each payment of the stream."""

    def __init__(self, organisation, stored):
        plain, history = MemoryHistory(), MemoryHistory()
        plain.append(stored, np.ones(len(stored), np.float32))
        self.surprise = relative_amounts(stored, plain.windows(stored["payer"], stored["sequence"]))
        history.append(stored, self.surprise)
        with tenant(organisation):
            labels, _ = records.labels_between(organisation.pk, 0, 10**9)
        history.label(labels)
        self.near, self.sequences = neighbourhood(history, stored), stored["sequence"]

    def compare(self, served, batch):
        near, surprise = served
        places = np.searchsorted(self.sequences, batch["sequence"])
        for side in SIDES:
            assert np.array_equal(getattr(near, side), getattr(self.near, side)[places]), side
        assert_same(near.counters, self.near.counters[places])
        assert np.array_equal(surprise, self.surprise[places])


@pytest.fixture
def history(bank, valkey):
    return ValkeyHistory(valkey, bank.organisation.pk)


def rings(bank, valkey):
    """The keys of the bank's rings."""
    return sorted(valkey.scan_iter(f"fraud:6:{bank.organisation.pk}:*"))


def test_the_stream_shows_something(stored, expected):
    """Else the tests here would show less than they seem to."""
    _, counts = np.unique(np.concatenate([stored["payer"], stored["payee"]]), return_counts=True)
    assert counts.max() > CAPACITY + SLACK + WINDOW
    assert len(np.unique(expected.near.payee["fraud"])) == 3
    assert all((getattr(expected.near, side)["sequence"] > 0).any() for side in SIDES)
    assert len(np.unique(expected.surprise)) > 100


@pytest.mark.parametrize("chunk", [1, 7, 256, 5000])
def test_it_works(history, stored, expected, chunk, monkeypatch):
    part = stored[:60] if chunk == 1 else stored[:400] if chunk == 7 else stored
    for start in range(0, len(part), chunk):
        batch = part[start : start + chunk]
        expected.compare(history.neighbourhood(batch), batch)


def test_two_round_trips(history, stored, expected, monkeypatch):
    """Once the rings are there a batch needs a look and an append, and nothing of PostgreSQL."""
    history.neighbourhood(stored[: PIECE // 2])
    history.restore(np.unique(np.concatenate([stored[side] for side in SIDES])).tolist())
    asked = []
    run = history.rings.connection.eval
    monkeypatch.setattr(history.rings.connection, "eval", lambda *given: (asked.append(1), run(*given))[1])
    monkeypatch.setattr(records, "events_before", None)
    batch = stored[PIECE // 2 : PIECE]
    served = history.neighbourhood(batch)
    assert len(asked) == 2
    monkeypatch.undo()
    expected.compare(served, batch)


@pytest.mark.slow
def test_rings_lost_in_the_middle_come_back(history, stored, expected, valkey, bank):
    half = len(stored) // 2
    history.neighbourhood(stored[:half])
    assert forget(bank, valkey)
    for start in range(half, len(stored), 100):
        batch = stored[start : start + 100]
        expected.compare(history.neighbourhood(batch), batch)


@pytest.mark.slow
def test_single_rings_evicted(history, stored, expected, valkey, bank):
    for number, start in enumerate(range(0, len(stored), 100)):
        batch = stored[start : start + 100]
        expected.compare(history.neighbourhood(batch), batch)
        gone = rings(bank, valkey)[number % 3 :: 3]
        valkey.delete(*gone)


def test_the_head_lost_alone(history, stored, expected, valkey, bank):
    """Rings without the hash that says how far they reach must not be believed."""
    history.neighbourhood(stored[:300])
    valkey.delete(f"fraud:6:{bank.organisation.pk}")
    expected.compare(history.neighbourhood(stored[400:500]), stored[400:500])


def test_a_gap_is_filled_from_the_records(history, stored, expected):
    history.neighbourhood(stored[:100])
    for start, end in ((150, 160), (160, 200), (300, 310)):
        expected.compare(history.neighbourhood(stored[start:end]), stored[start:end])


def test_a_wide_gap_begins_anew(history, stored, expected, monkeypatch):
    monkeypatch.setattr(state, "CATCH_UP", 50)
    history.neighbourhood(stored[:100])
    first = history.rings.look({}).epoch
    expected.compare(history.neighbourhood(stored[600:700]), stored[600:700])
    assert history.rings.look({}).epoch != first
    expected.compare(history.neighbourhood(stored[700:740]), stored[700:740])


def test_the_records_give_the_counters_as_of_any_sequence(bank, stored, expected):
    """Of a whole history, counted one by one; late payments and several places of one entity among them."""
    names = np.unique(np.concatenate([stored[side] for side in SIDES]))
    entities, last = np.tile(names[names != 0], 3), int(stored["sequence"][-1])
    before = np.random.default_rng(4).integers(1, last + 2, len(entities))
    before[: len(names) - 1] = last + 1
    found = counters_before(bank.organisation.pk, entities, before)
    everything = MemoryHistory(len(stored))
    everything.append(stored, expected.surprise)
    assert_same(found, counted(everything.windows(entities, before)))
    assert found["count"].max() > 200


def test_a_ring_that_began_in_the_middle_is_not_believed(history, stored, expected, monkeypatch):
    """It holds enough events for a window, and nothing of what came before them, until the records say it."""
    history.neighbourhood(stored[:300])
    payees, counts = np.unique(stored["payee"], return_counts=True)
    shop = int(payees[counts.argmax()])
    history.forget([shop])
    monkeypatch.setattr(Rings, "put", lambda *given: 0)
    for start in range(300, 650, 50):
        batch = stored[start : start + 50]
        expected.compare(history.neighbourhood(batch), batch)
    assert history.rings.look({shop: 1}).rings.counters["count"][0, 0] == UNKNOWN
    monkeypatch.undo()
    batch = stored[650:700]
    expected.compare(history.neighbourhood(batch), batch)
    assert history.rings.look({shop: 1}).rings.counters["count"][0, 0] > WINDOW


@pytest.mark.slow
def test_far_behind_the_head(history, stored, expected):
    """A batch that is scored after later payments: it sees only its own past, and labels as they were."""
    history.neighbourhood(stored[-10:])
    for start in range(0, 300, 100):
        batch = stored[start : start + 100]
        expected.compare(history.neighbourhood(batch), batch)


def test_out_of_order_and_twice(history, stored, expected):
    """Lanes may drain payments in any order, and retries repeat them."""
    order = np.random.default_rng(2).permutation(400)
    for start in range(0, 400, 80):
        batch = stored[:400][np.concatenate([order[start : start + 80], order[:5]])]
        expected.compare(history.neighbourhood(batch), batch)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_two_workers_at_once_on_rings_that_come_and_go(bank, valkey, stored, expected, monkeypatch, seed):
    """Between any two steps of one worker another one may take its turn, and rings may vanish."""
    random = np.random.default_rng(seed)
    one, two = (ValkeyHistory(valkey, bank.organisation.pk) for _ in range(2))
    left = [stored[start : start + 30] for start in range(0, 900, 30)]
    run, inside = one.rings.connection.eval, []

    def interrupted(*given):
        if left and not inside and random.random() < 0.4:
            inside.append(1)
            batch = left.pop(0)
            expected.compare(two.neighbourhood(batch), batch)
            inside.clear()
        if random.random() < 0.1:
            found = rings(bank, valkey)
            gone = random.choice(len(found), len(found) // 5, replace=False) if found else []
            if len(gone):
                valkey.delete(*(found[place] for place in gone))
        return run(*given)

    monkeypatch.setattr(valkey, "eval", interrupted)
    while left:
        batch = left.pop(0)
        expected.compare(one.neighbourhood(batch), batch)


@pytest.mark.slow
def test_labels_wait_for_nobody(valkey, made, committed_world):
    """A label shows with the next payment, and in windows as of before it it does not."""
    bank = committed_world  # of its own: it labels
    stored, history = stored_in(bank, made), ValkeyHistory(valkey, bank.organisation.pk)
    history.neighbourhood(stored[:200])
    with tenant(bank.organisation):
        row = Transaction.objects.get(sequence=int(stored[-1]["sequence"]))
        label(bank, [(row, True)])
        last = IngestCounter.objects.get().last
    history.neighbourhood(stored[-200:])
    again = NewTransaction("again", "new", row.payee, Decimal(1), "EUR", "card", timezone.now())
    with tenant(bank.organisation):
        [fresh] = payments_store(counter_lock(bank.organisation), [again], listed).rows
    near, _ = history.neighbourhood(records.payments(payloads_of([fresh])))
    assert (near.payee[0][-1]["fraud"], near.payee[0][-1]["labelled"]) == (1, last)
    before = history.before(np.array([row.payee_key]), np.array([last])).events
    assert (before[0][-1]["sequence"], before[0][-1]["fraud"]) == (row.sequence, 0)


@pytest.mark.slow
def test_rebuilt_from_the_records_they_are_the_same(history, stored, expected, valkey, bank):
    """Every ring, restored at once without a stream that leads to it."""
    history.neighbourhood(stored[:200])
    forget(bank, valkey)
    history.begin(int(stored[-1]["sequence"]))
    entities = np.unique(np.concatenate([stored[side] for side in SIDES]))
    history.restore(entities[entities != 0].tolist())
    assert len(rings(bank, valkey)) == len(entities) - 1
    for start in range(0, len(stored), 500):
        batch = stored[start : start + 500]
        expected.compare(history.neighbourhood(batch), batch)


def test_keys_hold_no_account(history, stored, valkey, bank):
    history.neighbourhood(stored[:200])
    head = f"fraud:6:{bank.organisation.pk}".encode()
    keys = set(valkey.scan_iter(f"fraud:*{bank.organisation.pk}*"))
    entities = np.unique(np.concatenate([stored[side][:200] for side in SIDES]))
    assert keys == {head, *(history.rings.key(int(one)) for one in entities if one)}
    assert history.rings.key(-2) == head + b":" + b"\xfe" + b"\xff" * 7


def test_keys_differ_between_organisations(bank):
    ours, theirs = (account_key(one.pk, "GB29-0001") for one in (bank.organisation, bank.other))
    assert ours != theirs
    assert -(2**63) <= ours < 2**63
    [ours], [theirs] = (keys_of(one.pk, DEVICE, ["phone"]) for one in (bank.organisation, bank.other))
    assert ours != theirs


def test_rings_stay_small(history, stored, valkey, bank):
    for start in range(0, len(stored), 200):
        history.neighbourhood(stored[start : start + 200])
    sizes = [(valkey.strlen(ring) - 16) // EVENT.itemsize for ring in rings(bank, valkey)]
    assert CAPACITY < max(sizes) <= CAPACITY + SLACK
    assert all(valkey.ttl(ring) > 0 for ring in rings(bank, valkey))


def test_organisations_do_not_mix(history, stored, bank):
    history.neighbourhood(stored[:50])
    payers = stored["payer"][:3].tolist()
    assert [len(one) for one in records.events_before(bank.other.pk, payers, [10**6] * 3, 9)] == [0] * 3


def test_ranges_of_sequences():
    assert ranges_of([1, 2, 3, 7, 9, 10]) == [[1, 3], [7, 7], [9, 10]]
    assert ranges_of([]) == []


def test_any_decision_can_be_recomputed_from_the_records(committed_world, runtime):
    """Replay: what PostgreSQL holds gives the score that was decided, without any ring."""
    bank, api = committed_world, committed_world.api("fraud:write")
    sent = [body(n, payee=f"S{n % 7}", payer=f"P{n % 3}", amount=f"{5 + n}.25") for n in range(1, 60)]
    for start in range(0, len(sent), 13):
        assert api.post("/fraud/transactions", sent[start : start + 13]).status_code == 200
    with tenant(bank.organisation):
        rows = list(Transaction.objects.order_by("sequence"))
        decided = list(Decision.objects.order_by("sequence").values_list("score", flat=True))
    batch = records.payments(payloads_of(rows))
    replayed = Scorer().score(neighbourhood(StoredHistory(bank.organisation.pk), batch))
    assert [score.probability for score in replayed] == pytest.approx(decided, abs=2e-6)
