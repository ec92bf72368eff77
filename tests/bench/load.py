"""Load on one address: `wrk` where it is installed, else a small generator in Python. Every figure says which."""

import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

_WRK_END = """
function done(summary, latency, requests)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format("FIGURES %d %d %f %f %d\\n", summary.requests, summary.duration,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, failed))
end
"""


@dataclass(frozen=True)
class Request:
    """What is asked, over and over."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str = ""


@dataclass(frozen=True)
class Load:
    """What came of it; milliseconds."""

    tool: str
    per_second: float
    p50: float
    p99: float
    failed: int


def tool() -> str:
    """Which generator runs here."""
    return "wrk" if shutil.which("wrk") else "python"


def load(port: int, request: Request, *, clients: int, seconds: float) -> Load:
    """Ask from `clients` kept-alive connections, each waiting for its answer before it asks again."""
    return (_wrk if tool() == "wrk" else _python)(port, request, clients, seconds)


def _wrk(port: int, request: Request, clients: int, seconds: float) -> Load:
    lines = [f'wrk.method = "{request.method}"', f"wrk.body = [==[{request.body}]==]"]
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in request.headers.items()]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("\n".join(lines) + _WRK_END)
        script.flush()
        command = ["wrk", "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "-s", script.name]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{port}{request.path}"], capture_output=True, text=True, check=True
        )
    found = re.search(r"FIGURES (\d+) (\d+) (\S+) (\S+) (\d+)", done.stdout)
    assert found, done.stdout + done.stderr
    count, duration = int(found[1]), int(found[2]) / 1e6
    return Load("wrk", count / duration, float(found[3]), float(found[4]), int(found[5]))


def _python(port: int, request: Request, clients: int, seconds: float) -> Load:
    times: list[float] = []
    failed: list[int] = []
    until = time.perf_counter() + seconds
    threads = [
        threading.Thread(target=_client, args=(port, request, until, times, failed)) for _ in range(clients)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    return Load("python", len(times) / took, *percentiles(times), len(failed))


def percentiles(times: list[float]) -> tuple[float, float]:
    """p50 and p99."""
    ordered = sorted(times)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def wire_form(request: Request) -> bytes:
    """The request in HTTP/1.1."""
    headers = {"Host": "127.0.0.1", **request.headers}
    if request.body:
        headers["Content-Length"] = str(len(request.body.encode()))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{request.method} {request.path} HTTP/1.1\r\n{head}\r\n{request.body}".encode()


def _client(port: int, request: Request, until: float, times: list[float], failed: list[int]) -> None:
    raw = wire_form(request)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.perf_counter() < until:
            began = time.perf_counter()
            connection.sendall(raw)
            status = read_answer(connection)
            times.append((time.perf_counter() - began) * 1000)
            if status >= 400:
                failed.append(status)


def read_answer(connection: socket.socket) -> int:
    """Read one answer with a Content-Length; returns its status."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += _some(connection)
    head, _, body = raw.partition(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head.lower())
    wanted = int(found[1]) if found else 0
    while len(body) < wanted:
        body += _some(connection)
    return int(head.split(b" ", 2)[1])


def _some(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise ConnectionError("the server closed the connection")
    return received
