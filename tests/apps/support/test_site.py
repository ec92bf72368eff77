"""The support desk's part of the demo, against the real web process and the real workers."""

import pytest

from apps.support import demo
from rootstock.demo import DemoFailure, Show

pytestmark = pytest.mark.slow
SCOPES = ("support:read", "support:write")


def test_the_demo_holds_its_conversation(demo_client):
    api = demo_client(*SCOPES)
    api.ask("PATCH", "/support/desk", json={"answer_tokens": 32})
    rows = demo.play(api, Show())
    assert len(rows) == 3
    assert all(row.ok for row in rows)
    assert rows[1].median_ms is not None


def test_an_adapter_that_is_not_there_fails_the_demo(demo_client):
    with pytest.raises(DemoFailure, match="adapter"):
        demo.play_adapted(demo_client(*SCOPES), Show(), "larkfield-desk@000000000000")
