"""Figures of the last fifteen minutes."""

import time

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from rootstock.metrics import ring
from rootstock.metrics.histogram import class_of, quantile
from rootstock.metrics.recent import batch_seen, request_seen
from rootstock.metrics.recent import recent as read_recent


@pytest.fixture
def rings(services, monkeypatch):
    """Rings of this test's own, and a clock two steps ahead to read at."""
    mark = str(time.monotonic_ns())
    web, lanes = ring.Ring(f"web{mark}"), ring.Ring(f"lanes{mark}")
    scope = read_recent.__globals__
    monkeypatch.setitem(scope, "_web", web)
    monkeypatch.setitem(scope, "_lanes", lanes)
    original = ring.read
    monkeypatch.setitem(scope, "read", lambda kind, now=None: original(f"{kind}{mark}", now=now))
    return web, lanes


def test_it_works(rings) -> None:
    web, lanes = rings
    for _ in range(98):
        request_seen(4.0, 200)
    request_seen(400.0, 200)
    request_seen(400.0, 503)
    batch_seen("fraud.score", [2.0, 2.5, 3.0])
    batch_seen("fraud.score", [2.0])
    web.flush(), lanes.flush()
    found = read_recent(now=time.time() + 2 * ring.STEP_S)
    assert len(found.at) == len(found.p99_ms) == 90
    assert sum(found.requests_per_second) * ring.STEP_S == pytest.approx(100)
    assert sum(found.errors_per_second) * ring.STEP_S == pytest.approx(1)
    [p50] = [value for value in found.p50_ms if value is not None][:1]
    assert 3 < p50 < 5
    score = found.lanes["fraud.score"]
    assert sum(score.per_second) * ring.STEP_S == pytest.approx(4)
    assert max(size for size in score.batch_size if size) <= 3


def test_nothing_yet(rings) -> None:
    found = read_recent()
    assert found.lanes == {}
    assert set(found.p99_ms) == {None}
    assert set(found.requests_per_second) == {0.0}


def test_processes_add_up(rings) -> None:
    web, _ = rings
    other = ring.Ring(web._kind)
    web.add(count=2)
    other.add(count=3)
    web.flush(), other.flush()
    assert sum(read_recent(now=time.time() + 20).requests_per_second) * ring.STEP_S == pytest.approx(5)


def test_the_steps_do_not_stay(rings, valkey) -> None:
    web, _ = rings
    web.add(count=1)
    web.flush()
    key = ring.ring_key(web._kind, int(time.time()) // ring.STEP_S)
    assert 0 < valkey.ttl(key) <= ring.KEPT_S + 2 * ring.STEP_S


@given(
    times=st.lists(st.floats(0.1, 40_000), min_size=1, max_size=200), share=st.sampled_from([0.5, 0.9, 0.99])
)
def test_a_quantile_is_right_within_a_class(times, share) -> None:
    counts: dict[int, int] = {}
    for each in times:
        counts[class_of(each)] = counts.get(class_of(each), 0) + 1
    found = quantile(counts, share)
    exact = sorted(times)[max(0, -(-int(share * len(times) * 1000) // 1000) - 1)]
    assert found is not None
    assert class_of(found) in (class_of(exact), class_of(exact) + 1) or found <= 0.5


def test_no_times_no_quantile() -> None:
    assert quantile({}, 0.5) is None


def test_probes_are_no_requests(db, rings) -> None:
    web, _ = rings
    for path in ("/healthz", "/readyz", "/metrics", "/login/"):
        Client().get(path)
    web.flush()
    found = read_recent(now=time.time() + 2 * ring.STEP_S)
    assert sum(found.requests_per_second) * ring.STEP_S == pytest.approx(1)
    assert sum(found.errors_per_second) == 0
