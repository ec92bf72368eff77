"""The running site seals what happens by itself."""

import time
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def test_beat_seals_the_trail(demo_client: Any) -> None:
    api = demo_client("audit:read")
    until = time.monotonic() + 60
    chain = api.ask("GET", "/audit/chain")
    while time.monotonic() < until and (chain["last"] is None or chain["waiting"]):
        time.sleep(0.5)
        chain = api.ask("GET", "/audit/chain")
    assert chain["last"]["sequence"] >= 1  # who was added when the organisation was made
    assert api.ask("POST", "/audit/verify")["ok"]
