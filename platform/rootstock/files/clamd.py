"""A virus scanner beside the platform: clamd's INSTREAM command, over TCP or a socket of this machine."""

import socket
from contextlib import closing, suppress
from typing import BinaryIO

from rootstock.errors import Unavailable
from rootstock.files.scanners import Refusal
from rootstock.files.scanners.common import chunks

TIMEOUT_S = 60.0
_MAX_REPLY = 4096


def check_virus(stream: BinaryIO, address: str) -> str:
    """Send the content. Raises Refusal with the finding's name, Unavailable when clamd cannot say."""
    try:
        with closing(_connect(address)) as connection:
            with suppress(BrokenPipeError, ConnectionResetError):  # it has had enough, and may have said why
                _send(connection, stream)
            reply = _reply(connection)
    except OSError:
        raise Unavailable("the virus scanner does not answer", retry_after=30) from None
    verdict = reply.removeprefix("stream: ")
    if verdict.endswith(" FOUND"):
        raise Refusal(f"the virus scanner found {verdict.removesuffix(' FOUND')[:100]}")
    if verdict.startswith("INSTREAM size limit exceeded"):
        raise Refusal("it is larger than the virus scanner takes; its operator can raise StreamMaxLength")
    if verdict != "OK":
        raise Unavailable("the virus scanner could not scan the file", retry_after=30)
    return "nothing found"


def _connect(address: str) -> socket.socket:
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(TIMEOUT_S)
        connection.connect(address.removeprefix("unix:"))
        return connection
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT_S)


def _send(connection: socket.socket, stream: BinaryIO) -> None:
    connection.sendall(b"zINSTREAM\0")
    for piece in chunks(stream):
        connection.sendall(len(piece).to_bytes(4, "big") + piece)
    connection.sendall(bytes(4))


def _reply(connection: socket.socket) -> str:
    found = b""
    while not found.endswith(b"\0") and len(found) < _MAX_REPLY:
        piece = connection.recv(_MAX_REPLY)
        if not piece:
            break
        found += piece
    return found.rstrip(b"\0\n").decode("utf-8", "replace")
