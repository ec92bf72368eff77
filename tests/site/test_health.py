"""Background processes that hang are missed: by the probe, the metrics and the console."""

import os
import signal
import time
from typing import Any

import httpx
import pytest

HANGING = ("beat", "general", "trainer", "webhooks")
QUEUES = ["adaptation", "beat", "general", "housekeeping", "webhooks"]


def ready_when(site: Any, reached: Any, timeout_s: float = 60) -> dict[str, Any]:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        told: dict[str, Any] = httpx.get(f"{site.url}/readyz").json()
        if reached(told):
            return told
        time.sleep(0.5)
    raise AssertionError(f"it did not get there: {told}")


@pytest.mark.slow
def test_processes_that_hang_are_named_and_come_back(site) -> None:
    ready_when(site, lambda told: told["status"] == "ok")
    pids = [site.supervisor.pid(name) for name in HANGING]
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        told = ready_when(site, lambda told: told["queues"] == QUEUES)
        assert (told["status"], told["lanes"]) == ("degraded", [])
        figures = httpx.get(f"{site.url}/metrics").text
        assert 'rootstock_queue_served{queue="general"} 0.0' in figures
        assert 'rootstock_queue_served{queue="score"} 1.0' in figures
        assert 'rootstock_worker_up{worker="beat"}' not in figures
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    ready_when(site, lambda told: told["status"] == "ok")
