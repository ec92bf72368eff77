"""Many open event streams: readers on sockets, and writers that give each of them news.

Half are answers of a lane, a word a second each; half are jobs, whose progress is told every five seconds each.
"""

import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from tests.bench.load import Request, wire_form

ANSWER_EVERY_S, PROGRESS_EVERY_S = 1.0, 5.0


class Readers:
    """Connections that only read; `events` counts what came."""

    def __init__(self, port: int, token: str, paths: list[str]) -> None:
        self.events = 0
        self._selector = selectors.DefaultSelector()
        self._open: set[socket.socket] = set()
        self._left = threading.Event()
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        for path in paths:
            connection = socket.create_connection(("127.0.0.1", port))
            connection.sendall(wire_form(Request("GET", path, headers)))
            self._selector.register(connection, selectors.EVENT_READ)
            self._open.add(connection)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def alive(self) -> int:
        """How many have not been closed by the server."""
        return len(self._open)

    def close(self) -> None:
        """Hang up."""
        self._left.set()
        self._thread.join()
        for connection in self._open:
            connection.close()

    def _read(self) -> None:
        while not self._left.is_set():
            for key, _ in self._selector.select(timeout=0.2):
                connection: Any = key.fileobj
                received = connection.recv(65536)
                if not received or received.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")):
                    self._selector.unregister(connection)
                    self._open.discard(connection)
                self.events += received.count(b"event: ")


@contextmanager
def opened(stand: Any, count: int) -> Iterator[Readers]:
    """`count` streams on one web process, each read by one connection, with events coming."""
    answers, jobs = _answers_begin(stand, count // 2), _jobs_begin(stand, count - count // 2)
    left = threading.Event()
    writers = [
        threading.Thread(target=_answers_go_on, args=(answers, left), daemon=True),
        threading.Thread(target=_jobs_go_on, args=(jobs, left), daemon=True),
    ]
    for writer in writers:
        writer.start()
    paths = [f"/api/v1/bench/streams/{stream}" for stream in answers]
    paths += [f"/api/v1/jobs/{job.id}/stream" for job in jobs]
    readers = Readers(stand.alone_port, stand.token, paths)
    try:
        until = time.monotonic() + 60
        while readers.events < 2 * count and time.monotonic() < until:
            time.sleep(0.2)
        yield readers
    finally:
        left.set()
        for writer in writers:
            writer.join()
        readers.close()


def _answers_begin(stand: Any, count: int) -> list[str]:
    from rootstock.lanes import wire

    ids = [uuid4().hex for _ in range(count)]
    with wire.connect().pipeline(transaction=False) as pipeline:
        for stream in ids:
            pipeline.set(
                wire.owner_key(stream),
                f"{stand.organisation.pk} {time.time() + 600} none {time.time()}",
                ex=600,
            )
            pipeline.set(wire.working_key(stream), 1, ex=600)
        pipeline.execute()
    return ids


def _answers_go_on(ids: list[str], left: threading.Event) -> None:
    from rootstock.lanes import wire

    valkey = wire.connect()
    for stream in _in_turn(ids, ANSWER_EVERY_S, left):
        valkey.xadd(wire.stream_key(stream), {"type": "token", "data": '{"text": "word "}'}, maxlen=100)


def _jobs_begin(stand: Any, count: int) -> list[Any]:
    """Running jobs, as a worker holds them."""
    from rootstock.jobs.handle import JobHandle
    from rootstock.jobs.services import job_claim, job_create

    handles = []
    for _ in range(count):
        job = job_create(organisation=stand.organisation, kind="bench.watched", params={}, total=1_000_000)
        claimed = job_claim(organisation=stand.organisation.pk, job_id=job.pk)
        assert claimed is not None
        handles.append(JobHandle(claimed))
    return handles


def _jobs_go_on(handles: list[Any], left: threading.Event) -> None:
    for step, handle in enumerate(_in_turn(handles, PROGRESS_EVERY_S, left)):
        handle.progress(step, force=True)


def _in_turn(things: list[Any], every_s: float, left: threading.Event) -> Iterator[Any]:
    """Each of them once in `every_s`, spread evenly, until the event is set."""
    while things:
        for thing in things:
            yield thing
            if left.wait(every_s / len(things)):
                return
