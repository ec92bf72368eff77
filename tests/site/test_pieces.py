"""Files in pieces through the real web processes: memory, broken connections, killed processes, two at once."""

import hashlib
import os
import signal
import socket
import threading
import time
from base64 import b64encode
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.fixtures.memory import MB, growth

pytestmark = pytest.mark.slow
LENGTH = 64 * MB


@pytest.fixture(scope="module")
def content() -> bytes:
    """64 MB of text, no two megabytes alike."""
    line = b"the quick brown fox jumps over the lazy dog, number %012d of many\n"
    text = b"".join(line % number for number in range(LENGTH // 68 + 1))
    return text[:LENGTH]


@pytest.fixture
def api(demo_client: Any) -> Any:
    return demo_client("files:read", "files:write")


@pytest.fixture
def begin(api: Any) -> Any:
    """Begins an upload and gives its address."""

    def create(length: int = LENGTH, purpose: str = "import", name: str = "long.csv") -> str:
        told = f"purpose {b64encode(purpose.encode()).decode()},filename {b64encode(name.encode()).decode()}"
        headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(length), "Upload-Metadata": told}
        answer = api.post("/api/v1/files/uploads", headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"]

    return create


def piece(api: Any, at: str, offset: int, body: bytes) -> httpx.Response:
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
    }
    return api.patch(at, headers=headers, content=body)


def offset_of(api: Any, at: str) -> int:
    """Asked again while the web process is away."""
    until = time.monotonic() + 30
    while True:
        try:
            answer = api.head(at, headers={"Tus-Resumable": "1.0.0"})
            assert answer.status_code == 200, answer.headers
            return int(answer.headers["Upload-Offset"])
        except httpx.TransportError:
            assert time.monotonic() < until
            time.sleep(0.2)


class Sender:
    """A PATCH over a socket of its own, of which only a part is sent."""

    def __init__(self, api: Any, at: str, offset: int, length: int) -> None:
        host = urlsplit(str(api.base_url))
        self.socket = socket.create_connection((host.hostname, host.port), timeout=20)
        head = (
            f"PATCH {at} HTTP/1.1\r\nHost: {host.netloc}\r\nAuthorization: {api.headers['authorization']}\r\n"
            f"Tus-Resumable: 1.0.0\r\nUpload-Offset: {offset}\r\nContent-Length: {length}\r\n"
            "Content-Type: application/offset+octet-stream\r\n\r\n"
        )
        self.socket.sendall(head.encode())

    def send(self, part: bytes) -> None:
        self.socket.sendall(part)

    def close(self) -> None:
        self.socket.close()


def settled(api: Any, at: str, least: int) -> int:
    """How far it has come once what is on its way has arrived."""
    until = time.monotonic() + 20
    while (there := offset_of(api, at)) < least and time.monotonic() < until:
        time.sleep(0.1)
    return there


def test_a_long_file_is_never_in_memory(api: Any, begin: Any, content: bytes) -> None:
    at = begin()
    with growth() as found:
        assert piece(api, at, 0, content).status_code == 204
    file = api.ask("GET", f"/files/{api.get(at).json()['file_id']}")
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert max(found.values()) < 32 * MB, found


def test_what_came_stays_when_the_connection_breaks(api: Any, begin: Any, content: bytes) -> None:
    at, sent = begin(), 10 * MB + 12_345
    sender = Sender(api, at, 0, LENGTH)
    sender.send(content[:sent])
    sender.close()
    there = settled(api, at, sent - 64 * 1024)
    assert sent - 64 * 1024 <= there <= sent
    assert piece(api, at, there, content[there:]).status_code == 204
    assert api.get(at).json()["offset"] == LENGTH


def test_what_came_stays_when_the_process_is_killed(site: Any, api: Any, begin: Any, content: bytes) -> None:
    at, sent = begin(), 20 * MB
    sender = Sender(api, at, 0, LENGTH)
    sender.send(content[:sent])
    assert settled(api, at, sent - 64 * 1024) >= sent - 64 * 1024
    web = psutil.Process(site.supervisor.pid("web"))
    for process in [web, *web.children(recursive=True)]:
        os.kill(process.pid, signal.SIGKILL)
    sender.close()
    there = offset_of(api, at)
    assert sent - 64 * 1024 <= there <= sent
    assert piece(api, at, there, content[there:]).status_code == 204
    file = api.ask("GET", f"/files/{api.get(at).json()['file_id']}")
    assert file["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_connection_that_hangs_does_not_keep_its_sender_out(api: Any, begin: Any, content: bytes) -> None:
    """The network went away and nobody told the server: the sender comes again while the first piece waits."""
    at, body = begin(MB, "knowledge", "a.txt"), content[:MB]
    hanging = Sender(api, at, 0, MB)
    hanging.send(body[: 256 * 1024])
    there = settled(api, at, 256 * 1024)
    assert piece(api, at, there, body[there:]).status_code == 204
    hanging.close()
    assert api.get(at).json()["offset"] == MB


def test_of_two_pieces_at_once_one_is_taken(api: Any, begin: Any, content: bytes) -> None:
    at, half = begin(), LENGTH // 2
    answers = []
    senders = [
        threading.Thread(target=lambda: answers.append(piece(api, at, 0, content[:half]).status_code))
        for _ in range(2)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert sorted(answers) == [204, 409]
    assert piece(api, at, half, content[half:]).status_code == 204
    file = api.ask("GET", f"/files/{api.get(at).json()['file_id']}")
    assert file["sha256"] == hashlib.sha256(content).hexdigest()


def test_callers_who_are_waited_for_hold_up_nobody(api: Any, begin: Any, content: bytes) -> None:
    """More of them than there are connections to the database."""
    waiting = [Sender(api, begin(MB, "knowledge", f"{number}.txt"), 0, MB) for number in range(60)]
    for sender in waiting:
        sender.send(content[:1000])
    time.sleep(1)
    before = time.monotonic()
    for _ in range(10):
        api.ask("GET", "/files")
    assert time.monotonic() - before < 5
    for sender in waiting:
        sender.close()
