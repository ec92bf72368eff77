"""A small client of Valkey for the paths on which every request waits: one blocking connection for each thread.

A round trip is one send and one receive. redis-py spends six system calls and a pool's lock on it, and each call that
gives the interpreter's lock away costs far more than itself when eight threads answer requests. Errors are redis-py's.
"""

import os
import socket
import ssl
import struct
import threading
from collections.abc import Sequence
from typing import Any

import redis
from redis.connection import parse_url

Word = str | bytes | int | float
Command = Sequence[Word]
_RECEIVE = 65536
_SKIP: Command = ("CLIENT", "REPLY", "SKIP")


class Line:
    """A connection of one thread, opened when first used and again when it was lost."""

    def __init__(self, url: str, timeout_s: float, connect_timeout_s: float) -> None:
        self._place = parse_url(url)
        self._timeout_s, self._connect_timeout_s = timeout_s, connect_timeout_s
        self._socket: socket.socket | None = None
        self._buffer, self._at = b"", 0

    def ask(self, *commands: Command, unanswered: Sequence[Command] = ()) -> list[Any]:
        """The replies of commands that travel together; an error among them is raised after all have been read.

        `unanswered` go before them, and Valkey says nothing to them, not even an error: a thread that then waits for
        a blocking command is woken once instead of twice. A connection that had been lost since its last use is
        opened again and everything is sent again: it must bear being done twice. Raises redis.RedisError.
        """
        used_before = self._socket is not None
        try:
            return self._asked(commands, unanswered)
        except redis.TimeoutError:
            raise
        except redis.ConnectionError:
            if not used_before:
                raise
            return self._asked(commands, unanswered)

    def close(self) -> None:
        """Give the connection up."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._buffer, self._at = None, b"", 0

    def _asked(self, commands: Sequence[Command], unanswered: Sequence[Command]) -> list[Any]:
        try:
            if self._socket is None:
                self._open()
            replies = self._exchange(commands, unanswered)
        except BlockingIOError:
            self.close()
            raise redis.TimeoutError("Valkey did not answer in time") from None
        except OSError as error:
            self.close()
            raise redis.ConnectionError(f"Valkey is not reachable: {type(error).__name__}") from None
        except BaseException:
            self.close()  # whatever is still on its way would be taken for the next command's reply
            raise
        return _checked(replies)

    def _exchange(self, commands: Sequence[Command], unanswered: Sequence[Command] = ()) -> list[Any]:
        assert self._socket is not None  # noqa: S101  (opened by the caller)
        sent = [part for command in unanswered for part in (_SKIP, command)]
        self._socket.sendall(b"".join(map(_packed, (*sent, *commands))))
        return [self._reply() for _ in commands]

    def _open(self) -> None:
        place = self._place
        opened = _connected(place, self._connect_timeout_s)
        seconds, rest = divmod(self._timeout_s, 1)
        limit = struct.pack("ll", int(seconds), int(rest * 1_000_000))
        opened.settimeout(
            None
        )  # the kernel keeps the time: Python's way is one more system call for each receive
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self._socket, self._buffer, self._at = opened, b"", 0
        if greeting := _greeting(place):
            _checked(self._exchange(greeting))

    def _reply(self) -> Any:
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            return None if rest == b"-1" else self._bulk(int(rest))
        if kind == b":":
            return int(rest)
        if kind == b"*":
            return None if rest == b"-1" else [self._reply() for _ in range(int(rest))]
        if kind == b"-":
            return redis.ResponseError(rest.decode(errors="replace"))
        return rest

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n", self._at)) < 0:
            self._receive()
        found, self._at = self._buffer[self._at : end], end + 2
        return found

    def _bulk(self, size: int) -> bytes:
        while len(self._buffer) < self._at + size + 2:
            self._receive()
        found, self._at = self._buffer[self._at : self._at + size], self._at + size + 2
        return found

    def _receive(self) -> None:
        assert self._socket is not None  # noqa: S101  (as above)
        received = self._socket.recv(_RECEIVE)
        if not received:
            raise ConnectionResetError
        self._buffer, self._at = self._buffer[self._at :] + received, 0


class Lines:
    """A line for each thread that asks."""

    def __init__(self, url: str, *, timeout_s: float, connect_timeout_s: float = 5.0) -> None:
        self._arguments = (url, timeout_s, connect_timeout_s)
        self._own = threading.local()
        os.register_at_fork(after_in_child=self._forget)

    def ask(self, *commands: Command, unanswered: Sequence[Command] = ()) -> list[Any]:
        """`Line.ask` on this thread's line."""
        line: Line | None = getattr(self._own, "line", None)
        if line is None:
            line = self._own.line = Line(*self._arguments)
        return line.ask(*commands, unanswered=unanswered)

    def _forget(self) -> None:
        self._own = threading.local()  # a child must not talk on its parent's connection


def _connected(place: dict[str, Any], timeout_s: float) -> socket.socket:
    if "path" in place:
        opened = socket.socket(socket.AF_UNIX)
        opened.settimeout(timeout_s)
        opened.connect(place["path"])
        return opened
    host = place.get("host", "localhost")
    opened = socket.create_connection((host, place.get("port", 6379)), timeout_s)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if issubclass(place.get("connection_class", object), redis.SSLConnection):
        return ssl.create_default_context(cafile=place.get("ssl_ca_certs")).wrap_socket(
            opened, server_hostname=host
        )
    return opened


def _greeting(place: dict[str, Any]) -> list[Command]:
    commands: list[Command] = []
    if place.get("password"):
        who = [place["username"]] if place.get("username") else []
        commands.append(["AUTH", *who, place["password"]])
    if place.get("db"):
        commands.append(["SELECT", int(place["db"])])
    return commands


def _packed(command: Command) -> bytes:
    parts = [b"*%d\r\n" % len(command)]
    for word in command:
        raw = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


def _checked(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, redis.ResponseError):
            raise reply
    return replies
