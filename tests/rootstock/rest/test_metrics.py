"""/metrics: what it tells, and whom."""

import json

import pytest
from django.conf import settings
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from rootstock.jobs.services import job_create
from rootstock.lanes.client import connection
from rootstock.metrics.ring import Ring

pytestmark = pytest.mark.everybody


@pytest.fixture
def engine_told():
    """Say, as a worker does, what its engine counted."""

    def tell(**engine) -> None:
        state = {
            "name": "told@engine",
            "groups": ["language"],
            "lanes": {},
            "base": None,
            "adapters": [],
            "engine": engine,
            "memory_bytes": 1,
            "started_at": 0.0,
            "seen_at": 0.0,
        }
        connection().set("worker:told@engine", json.dumps(state), ex=30)

    yield tell
    connection().delete("worker:told@engine")


def scrape(**options):
    answer = Client(**options).get("/metrics")
    assert answer.status_code == 200, answer.content
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def test_it_works(world) -> None:
    world.api("jobs:read").get("/jobs")
    world.api("jobs:read").get("/jobs/00000000-0000-7000-8000-000000000000")
    found = scrape()
    count = next(
        v for k, v in found.items() if k[0] == "rootstock_http_requests_total" and ("status", "404") in k
    )
    assert count >= 1
    assert any(k[0] == "rootstock_http_request_seconds_bucket" and "jobs/<" in str(k) for k in found)
    assert ("rootstock_audit_backlog",) in found
    assert ("rootstock_webhook_backlog",) in found
    assert any(k[0].startswith("rootstock_db_") for k in found)
    assert ("rootstock_lanes_unserved",) in found
    assert any(k[0].startswith("process_") for k in found)
    assert not any("00000000-0000" in str(k) for k in found), "an address instead of its route"


def test_open_jobs_of_all_organisations_are_counted(world) -> None:
    before = scrape().get(("rootstock_jobs", ("kind", "ehr.ingest"), ("state", "queued")), 0)
    for organisation in (world.organisation, world.other):
        job_create(organisation=organisation, kind="ehr.ingest", params={})
    assert scrape()["rootstock_jobs", ("kind", "ehr.ingest"), ("state", "queued")] == before + 2


def test_lanes_are_told_as_a_histogram(world) -> None:
    ring = Ring("lanes")
    ring.add(**{"t.lane/count": 3, "t.lane/batches": 2, "t.lane/ms": 9, "t.lane/c4": 3})
    ring.flush()
    found = scrape()
    assert found["rootstock_lane_items_total", ("lane", "t.lane")] >= 3
    assert found["rootstock_lane_seconds_bucket", ("lane", "t.lane"), ("le", "+Inf")] >= 3


def test_what_an_engine_counts_is_told(world, engine_told) -> None:
    engine_told(
        generated_tokens=7,
        kv_blocks_used=3,
        tiers={"device": 1, "memory": 2, "disk": 5},
        first_token_ms={"bounds": [25.0, 50.0], "counts": [1, 2, 4], "total": 900.0},
    )
    found = scrape()
    worker = ("worker", "told@engine")
    assert found["rootstock_engine_generated_tokens_total", worker] == 7
    assert found["rootstock_engine_kv_blocks_used", worker] == 3
    assert found["rootstock_engine_adapters", ("tier", "disk"), worker] == 5
    text = Client().get("/metrics").content.decode()
    assert "# HELP rootstock_engine_running Requests in the engine's batch now" in text
    assert "of an engine" not in text
    buckets = [
        found["rootstock_engine_first_token_seconds_bucket", ("le", le), worker]
        for le in ("0.025", "0.05", "+Inf")
    ]
    assert buckets == [1, 3, 7]
    assert found["rootstock_engine_first_token_seconds_sum", worker] == 0.9


@pytest.mark.parametrize(
    "options",
    [{"REMOTE_ADDR": "10.0.0.7"}, {"REMOTE_ADDR": ""}, {"headers": {"x-forwarded-for": "127.0.0.1"}}],
    ids=["elsewhere", "nowhere", "through a proxy"],
)
def test_from_elsewhere_it_needs_a_token(db, options) -> None:
    assert Client(**options).get("/metrics").status_code == 403


def test_with_a_token_it_needs_the_token(db, monkeypatch) -> None:
    monkeypatch.setattr(settings, "METRICS_TOKEN", "s3cret")
    assert Client().get("/metrics").status_code == 401
    assert Client(headers={"authorization": "Bearer wrong"}).get("/metrics").status_code == 401
    scrape(headers={"authorization": "Bearer s3cret"}, REMOTE_ADDR="10.0.0.7")


def test_a_part_that_is_away_is_left_out(world, monkeypatch, caplog) -> None:
    from rootstock.errors import Unavailable
    from rootstock.metrics import collectors

    def away(kind):
        raise Unavailable("away")

    monkeypatch.setattr(collectors, "totals", away)
    assert ("rootstock_audit_backlog",) in scrape()
    assert "a part of the metrics is missing" in caplog.text
