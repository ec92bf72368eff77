"""A worker offers the base that it holds on a device to the trainers beside it, at a Unix socket in a private folder.

Whoever connects is given one line of JSON, the base's description (`models_zoo.llm.cuda.share`), and keeps the
connection: it ends when the worker does, however that ends, and with the worker goes the memory described.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

SUFFIX = ".sock"
ANSWER_S = 5.0  # for a description to come or go: longer, and the other side hangs
LONGEST = 1 << 24  # bytes of a description


class Offer:
    """Gives `description` to whoever connects, until `close` or the process's end.

    folder: made with mode 0700 when it is not there. Raises PermissionError for one that others may enter.
    """

    def __init__(self, folder: Path, description: Mapping[str, Any]) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(folder)
        _remove_left(folder)
        self._path = folder / f"{uuid4().hex[:12]}{SUFFIX}"
        with _short(self._path) as address:
            self._server = _Server(address, json.dumps(description).encode() + b"\n")
        threading.Thread(target=self._server.serve_forever, name="base-offer", daemon=True).start()

    def close(self) -> None:
        """Take the offer back: every connection ends."""
        self._server.shutdown()
        self._path.unlink(missing_ok=True)
        self._server.server_close()


class _Server(socketserver.ThreadingUnixStreamServer):
    """Tells each one that connects, and stays connected."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: str, line: bytes) -> None:
        super().__init__(address, _Connection)
        self.line = line
        self.open: set[socket.socket] = set()

    def server_close(self) -> None:
        """End every connection too."""
        super().server_close()
        for connection in list(self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever leaves early does no harm."""


class _Connection(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        connection: socket.socket = self.request
        self.server.open.add(connection)
        try:
            connection.settimeout(ANSWER_S)
            connection.sendall(self.server.line)
            connection.settimeout(None)
            connection.recv(1)  # nothing is said: it ends with either side
        finally:
            self.server.open.discard(connection)


def offers_in(folder: Path) -> Iterator[tuple[dict[str, Any], socket.socket]]:
    """What workers offer now, the newest first: descriptions, and connections that are the caller's to close.

    A folder that is not there holds none. Raises PermissionError for one that others may enter.
    """
    if not folder.is_dir():
        return
    _check_private(folder)
    for path in sorted(folder.glob(f"*{SUFFIX}"), key=_made, reverse=True):
        try:
            connection = _connected(path)
        except OSError:  # nobody is there any more
            continue
        try:
            description = _read(connection)
        except (OSError, ValueError):  # it has just ended
            connection.close()
            continue
        yield description, connection


def _read(connection: socket.socket) -> dict[str, Any]:
    with connection.makefile("rb") as stream:
        description = json.loads(stream.readline(LONGEST))
    if not isinstance(description, dict):
        raise ValueError("no description")
    connection.settimeout(None)
    return description


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(ANSWER_S)
    try:
        with _short(path) as address:
            connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """The address of a socket however long its path: one may have 107 bytes."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _check_private(folder: Path) -> None:
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(errno.EACCES, "expected a folder of this user alone (mode 0700)", str(folder))


def _remove_left(folder: Path) -> None:
    """The sockets of workers that were killed: nobody listens there."""
    for path in folder.glob(f"*{SUFFIX}"):
        try:
            _connected(path).close()
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError:  # slow, or just gone
            continue


def _made(path: Path) -> float:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0
