"""Many open event streams: readers on sockets, and one writer that gives each an event a second."""

import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from tests.bench.load import Request, wire_form


class Readers:
    """Connections that only read; `events` counts what came."""

    def __init__(self, port: int, token: str, ids: list[str]) -> None:
        self.events = 0
        self._selector = selectors.DefaultSelector()
        self._open: set[socket.socket] = set()
        self._left = threading.Event()
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        for stream in ids:
            connection = socket.create_connection(("127.0.0.1", port))
            connection.sendall(wire_form(Request("GET", f"/api/v1/bench/streams/{stream}", headers)))
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
                self.events += received.count(b"event: token")


@contextmanager
def opened(stand: Any, count: int) -> Iterator[Readers]:
    """`count` streams, each read by one connection, with events coming."""
    from rootstock.lanes import wire

    valkey, ids, left = wire.connect(), [uuid4().hex for _ in range(count)], threading.Event()
    _begin(valkey, stand.organisation.pk, ids)
    writer = threading.Thread(target=_write, args=(valkey, ids, left), daemon=True)
    writer.start()
    readers = Readers(stand.port, stand.token, ids)
    try:
        until = time.monotonic() + 60
        while readers.events < 2 * count and time.monotonic() < until:
            time.sleep(0.2)
        yield readers
    finally:
        left.set()
        writer.join()
        readers.close()


def _begin(valkey: Any, organisation: Any, ids: list[str]) -> None:
    from rootstock.lanes import wire

    with valkey.pipeline(transaction=False) as pipeline:
        for stream in ids:
            pipeline.set(wire.owner_key(stream), f"{organisation} {time.time() + 600}", ex=600)
            pipeline.set(wire.working_key(stream), 1, ex=600)
        pipeline.execute()


def _write(valkey: Any, ids: list[str], left: threading.Event) -> None:
    """An event a second for each, spread over the second."""
    from rootstock.lanes import wire

    while not left.is_set():
        for stream in ids:
            valkey.xadd(wire.stream_key(stream), {"type": "token", "data": '{"text": "word "}'}, maxlen=100)
            if left.wait(1 / len(ids)):
                return
