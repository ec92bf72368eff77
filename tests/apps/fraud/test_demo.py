"""The bank's part of the demo, and the life of a batch when its worker is killed."""

import time

import pytest

from apps.fraud import demo
from rootstock.demo import Show

SCOPES = ("fraud:read", "fraud:write", "fraud:rules", "jobs:read")


def test_the_stream_ends_before_now():
    sent = demo.payments("test", time.time())
    assert 3000 < len(sent) < 12_000
    assert sent[-1].body["occurred_at"] < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    assert len({one.body["external_id"] for one in sent}) == len(sent)
    assert sum(one.fraud for one in sent) > 40


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_it_works(demo_client, monkeypatch):
    monkeypatch.setattr(demo, "CUSTOMERS", 80)
    monkeypatch.setattr(demo, "SINGLES", 60)
    rows = demo.play(demo_client(*SCOPES), Show())
    assert all(row.ok for row in rows)
    assert "AUC" in rows[-1].outcome
