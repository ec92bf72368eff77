"""The hospital's part of the demo through the running site: real web server, real workers, the real adapter."""

from typing import Any

import pytest


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_demos_part(demo_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.ehr import demo
    from rootstock.demo import Show

    monkeypatch.setattr(demo, "PATIENTS", 2)
    rows = demo.play(demo_client("ehr:read", "ehr:write", "jobs:read"), Show())
    assert all(row.ok for row in rows)
    assert any("0 of" in row.outcome for row in rows)
