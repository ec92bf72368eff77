"""The demo's view of Rootstock: HTTP with an API key, and nothing else."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

_JOB_POLL_S = 0.5


class DemoFailure(Exception):
    """A step did not really do what it should; the message says what was expected and what came."""


@dataclass(slots=True, frozen=True)
class ServerEvent:
    """One server-sent event."""

    id: str
    type: str
    data: dict[str, Any]


class DemoClient(httpx.Client):
    """An `httpx.Client` for one organisation's key, whose failures carry the problem's detail."""

    def __init__(self, base_url: str, token: str) -> None:
        super().__init__(
            base_url=base_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(60, connect=10),
            trust_env=False,
        )

    def ask(self, method: str, path: str, *, expect: int | tuple[int, ...] = 200, **arguments: Any) -> Any:
        """The JSON answer. Raises DemoFailure unless the status is `expect`, or one of them."""
        wanted = (expect,) if isinstance(expect, int) else expect
        response = self.request(method, f"/api/v1{path}", **arguments)
        if response.status_code not in wanted:
            raise DemoFailure(
                f"{method} {path}: expected {wanted[0]}, got {response.status_code}: {_detail(response)}"
            )
        return response.json()

    def follow_job(
        self, job_id: str, on_progress: Callable[[dict[str, Any]], None], timeout_s: float = 300
    ) -> dict[str, Any]:
        """Wait until a job has ended. Raises DemoFailure unless it succeeded."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            job: dict[str, Any] = self.ask("GET", f"/jobs/{job_id}")
            on_progress(job)
            if job["state"] == "succeeded":
                return job
            if job["state"] in ("failed", "cancelled"):
                raise DemoFailure(
                    f"job {job['kind']} {job['state']}: {(job['error'] or {}).get('detail', '')}"
                )
            time.sleep(_JOB_POLL_S)
        raise DemoFailure(f"job {job_id} did not end within {timeout_s:.0f} s")

    def events(self, url: str, last_event_id: str | None = None) -> Iterator[ServerEvent]:
        """Server-sent events of a stream, until it ends."""
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        with self.stream("GET", url, headers=headers) as response:
            if response.status_code != 200:
                response.read()
                raise DemoFailure(f"GET {url}: got {response.status_code}: {_detail(response)}")
            yield from _parse(response.iter_lines())


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json().get("detail", ""))
    except ValueError:
        return response.text[:200]


def _parse(lines: Iterator[str]) -> Iterator[ServerEvent]:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif "data" in fields:
            yield ServerEvent(
                fields.get("id", ""), fields.get("event", "message"), json.loads(fields["data"])
            )
            fields = {}
