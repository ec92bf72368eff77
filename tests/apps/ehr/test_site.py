"""The hospital's part of the demo through the running site: real web server, real workers, the real adapter."""

from typing import Any

import pytest


@pytest.mark.slow
def test_the_demos_part(demo_client: Any) -> None:
    from apps.ehr.demo import play
    from rootstock.demo import Show

    rows = play(demo_client("ehr:read", "ehr:write", "jobs:read"), Show())
    assert all(row.ok for row in rows)
    assert any("0 of" in row.outcome for row in rows)
