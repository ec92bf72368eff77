"""HTTP to a checked address, with one deadline over everything.

httpcore opens its connections through a network backend; this one resolves a name once, checks what came, and
connects to exactly that. TLS and the Host header still carry the name. Proxies of the environment are not used.
"""

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore
from httpcore import SyncBackend
from httpcore._backends.base import SOCKET_OPTION

from rootstock.webhooks.guard import Refused, Resolver, Target, checked_addresses, system_resolver


class Deadline:
    """A moment until which all the steps of one request must be done."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def left(self, timeout: float | None = None) -> float:
        """Seconds left for the next step; raises httpcore.ReadTimeout when there are none."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the whole request took too long")
        return left if timeout is None else min(left, timeout)


class DeadlineStream(httpcore.NetworkStream):
    """A stream each of whose steps ends at the deadline: a drip of single bytes does not hold a worker."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, self._deadline.left(timeout))
        return DeadlineStream(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to the addresses that the guard has just checked, and to nothing else."""

    def __init__(self, target: Target, deadline: Deadline, resolve: Resolver = system_resolver) -> None:
        self._target, self._deadline, self._resolve = target, deadline, resolve
        self._inner = SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        if port != self._target.port:
            raise Refused("another port than the one that was checked")
        last: Exception | None = None
        for address in checked_addresses(self._target, self._resolve):
            try:
                stream = self._inner.connect_tcp(address, port, self._deadline.left(timeout))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
            else:
                return DeadlineStream(stream, self._deadline)
        raise last or httpcore.ConnectError("no address answered")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[SOCKET_OPTION] | None = None
    ) -> httpcore.NetworkStream:
        raise Refused("a webhook never goes to a socket of this machine")
