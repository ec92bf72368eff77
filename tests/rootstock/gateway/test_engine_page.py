"""The engine page: what workers tell, and no word of another organisation's adapters."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootstock.gateway.engine import Distribution, EngineTold, engine_charts, engine_tiles
from rootstock.lanes import wire
from rootstock.lanes.client import connection

TOLD = {
    "fingerprint": "f" * 16, "device": "cpu", "running": 3, "waiting": 2, "adapters": 4, "slots": 16,
    "tiers": {"device": 2, "memory": 1, "disk": 1}, "adapter_bytes": 5_000_000, "kv_blocks": 200,
    "kv_blocks_used": 190, "kv_blocks_cached": 8, "tokens_per_second": 123.4, "requests": 40,
    "generated_tokens": 12_345, "prompt_tokens": 1000, "prefix_hit_tokens": 250, "texts": 7, "errors": 0,
    "preemptions": 1, "steps": 500,
    "first_token_ms": {"bounds": [50, 100], "counts": [10, 9, 1], "total": 1200.0},
    "inter_token_ms": {"bounds": [10, 20], "counts": [100, 0, 0], "total": 700.0},
    "batch": {"bounds": [1, 2, 4], "counts": [5, 0, 5, 0], "total": 25.0},
}  # fmt: skip
ADAPTERS = [
    {"adapter": "support-emotion", "task": "classify", "slot": 1, "in_use": 2, "rank": 8, "bytes": 4_000_000,
     "tier": "device", "pinned": True, "shipped": True},
    {"adapter": "secret@0123456789ab", "task": "chat", "slot": 2, "in_use": 0, "rank": 8, "bytes": 9,
     "tier": "device", "pinned": False, "shipped": False},
]  # fmt: skip


@pytest.fixture
def worker(services):
    """A worker that tells of an engine; returns a function that makes it tell something else."""

    def tell(engine=TOLD) -> None:
        state = {
            "name": "test@here", "groups": ["language"], "lanes": {}, "base": {"name": "smollm2", "bytes": 1},
            "adapters": ADAPTERS, "engine": engine, "memory_bytes": 1, "started_at": 0.0, "seen_at": 0.0,
        }  # fmt: skip
        connection().set("worker:test@here", json.dumps(state), ex=wire.ALIVE_S)

    tell()
    yield tell
    connection().delete("worker:test@here")


@pytest.mark.parametrize("path", ["/engine/", "/engine/live/"])
def test_it_shows_what_the_worker_tells(world, worker, path) -> None:
    page = world.browser(world.owner).get(path).content.decode()
    assert "2.5 in a step on average" in page
    assert "190 of 200 blocks" in page
    assert "25\u202f%" in page
    assert "1 more in memory, 1 on disk" in page
    assert "support-emotion" in page
    assert "On the device" in page
    assert "secret@" not in page
    assert "1 more of other organisations" in page


def test_an_older_worker_tells_less(world, worker) -> None:
    worker({"device": "cpu", "running": 1, "waiting": 0, "slots": 4})
    page = world.browser(world.owner).get("/engine/").content.decode()
    assert "not told by this worker" in page
    assert "nothing was written yet" in page


def test_without_a_worker_it_says_what_to_do(world, services) -> None:
    for left in connection().scan_iter("worker:*"):
        connection().delete(left)
    assert "No engine runs" in world.browser(world.owner).get("/engine/").content.decode()


def test_who_may_see_it(world) -> None:
    assert world.browser(world.colleague).get("/engine/").status_code == 200
    assert world.browser(world.person("clinician")).get("/engine/").status_code == 403


@given(st.lists(st.floats(0.1, 400), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_quantile_lies_in_the_class_of_the_value(values, share) -> None:
    bounds = [1.0, 10.0, 100.0]
    counts = [
        sum(low < value <= high for value in values)
        for low, high in zip([0, *bounds], [*bounds, 1e9], strict=True)
    ]
    found = Distribution(bounds=bounds, counts=counts, total=sum(values)).quantile(share)
    exact = sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]
    low = max([0.0, *(bound for bound in bounds if bound < exact)])
    high = min([*(bound for bound in bounds if bound >= exact), 100.0])
    assert min(low, 100.0) <= found <= high


def test_of_what_is_beyond_the_last_bound_no_more_is_said_than_is_known() -> None:
    spread = Distribution(bounds=[100.0, 25_600.0], counts=[97, 0, 3], total=1e6)
    assert (spread.told(0.5), spread.told(0.97), spread.told(0.99)) == ("52", "100", "over 25,600")
    assert engine_tiles(EngineTold(first_token_ms=spread))[3].note == "half are quicker; p99 over 25,600 ms"
    assert Distribution().told(0.5) == "–"


def test_nothing_has_no_quantile_and_no_chart() -> None:
    assert Distribution().quantile(0.5) is None
    assert Distribution(bounds=[1], counts=[0, 0]).mean is None
    assert engine_charts("w", EngineTold()) == []
    assert len(engine_tiles(EngineTold())) == 8
