"""Several processes answer, and tell as one."""

import httpx
import psutil
import pytest
from django.core.exceptions import ImproperlyConfigured

from rootstock.operations import stack


def _total(web_url: str) -> float:
    """Refusals of /api/v1/jobs that /metrics knows of."""
    lines = httpx.get(f"{web_url}/metrics").text.splitlines()
    counts = [
        line for line in lines if line.startswith("rootstock_http_requests_total") and 'status="401"' in line
    ]
    return sum(float(line.rsplit(" ", 1)[1]) for line in counts)


def _command(process: psutil.Process) -> str:
    """Empty for one that has just ended."""
    return " ".join(process.as_dict(["cmdline"])["cmdline"] or [])


@pytest.mark.slow
def test_whichever_process_is_asked_tells_of_all(web_url):
    port = web_url.rsplit(":", 1)[1]
    [web] = [process for process in psutil.Process().children() if port in _command(process)]
    answering = [process for process in web.children() if "resource_tracker" not in _command(process)]
    assert len(answering) == stack.web_processes()
    before = _total(web_url)
    for _ in range(20):  # each on a connection of its own, so that both processes answer some
        assert httpx.get(f"{web_url}/api/v1/jobs").status_code == 401
    assert {_total(web_url) for _ in range(6)} == {before + 20}


@pytest.mark.parametrize("given", ["0", "65", "two", "-1", ""])
def test_a_number_of_processes_that_is_none(monkeypatch, given):
    monkeypatch.setenv("ROOTSTOCK_WEB_PROCESSES", given)
    with pytest.raises(ImproperlyConfigured, match=r"ROOTSTOCK_WEB_PROCESSES.*from 1 to 64"):
        stack.web_processes()
