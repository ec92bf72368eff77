"""The SSRF guard: an endpoint's address is taken apart, resolved once, and every address checked.

What is connected to later is the checked address itself (see `network`), so that a name that answers differently
the second time gains nothing.
"""

import re
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass
from ipaddress import ip_network
from urllib.parse import urlsplit

from django.conf import settings

from rootstock.errors import InvalidInput
from rootstock.webhooks import addresses
from rootstock.webhooks.addresses import Network

Resolver = Callable[[str, int], Sequence[str]]
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# RFC 3986's characters. What is left out (spaces, control characters, `\`) is read differently by different readers.
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_DEFAULT_PORTS = {"https": 443, "http": 80}
_MAX_ADDRESSES = 16
RESOLVE_S = 5.0
_resolving = ThreadPoolExecutor(8, thread_name_prefix="webhook-dns")


class Refused(Exception):
    """The guard does not let this address be called."""


@dataclass(slots=True, frozen=True)
class Target:
    """A URL taken apart; the host is an ASCII name or a literal address."""

    scheme: str
    host: str
    port: int

    @property
    def is_named(self) -> bool:
        """The operator has named this very host."""
        return self.host in settings.WEBHOOK_ALLOW


def target_of(url: str) -> Target:
    """Take the URL apart. Raises Refused for forms that are not plainly a host on the internet."""
    if not _CHARACTERS.fullmatch(url):
        raise Refused("write it with the characters of a URL only (a name in other letters as xn--…)")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("is not a URL") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise Refused("must begin with https://")
    if "@" in parts.netloc:
        raise Refused("must not hold a user name or password")
    if parts.fragment or url.endswith("#"):
        raise Refused("must not hold a fragment (#…)")
    host = _host(parts.hostname or "", bracketed="[" in parts.netloc)
    return Target(parts.scheme, host, _DEFAULT_PORTS[parts.scheme] if port is None else port)


def _host(host: str, *, bracketed: bool) -> str:
    literal = addresses.parse(host)
    if literal is not None:
        if literal.version == 6 and not bracketed:
            raise Refused("an IPv6 address goes into brackets")
        return str(literal)
    host = host.removesuffix(".")
    labels = host.split(".")
    if bracketed or len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise Refused("has no valid host name")
    # 2130706433, 0x7f.1 and 0177.0.0.1 are 127.0.0.1 to some resolvers: a name's last label is never a number.
    if labels[-1].isdigit() or re.fullmatch("0x[0-9a-f]*", labels[-1]):
        raise Refused("write an IPv4 address as four decimal numbers")
    return host


def allowed_networks() -> list[Network]:
    """The networks of ROOTSTOCK_WEBHOOK_ALLOW."""
    found = []
    for entry in settings.WEBHOOK_ALLOW:
        try:
            found.append(ip_network(entry))
        except ValueError:
            continue  # a host name
    return found


def system_resolver(host: str, port: int) -> Sequence[str]:
    """The system's answer, at most five seconds late."""
    waiting = _resolving.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        return [str(entry[4][0]) for entry in waiting.result(RESOLVE_S)]
    except TooLate:
        raise Refused("its host name was not resolved in time") from None
    except (OSError, UnicodeError):
        raise Refused("its host name cannot be resolved") from None


def checked_addresses(target: Target, resolve: Resolver = system_resolver) -> list[str]:
    """The addresses to connect to, each of them checked. One forbidden address among them refuses all."""
    literal = addresses.parse(target.host)
    texts = [target.host] if literal else list(dict.fromkeys(resolve(target.host, target.port)))
    found = [addresses.parse(text) for text in texts[:_MAX_ADDRESSES]]
    if not found:
        raise Refused("its host name cannot be resolved")
    networks = allowed_networks()
    named = [ip_network("0.0.0.0/0"), ip_network("::/0")] if target.is_named else networks
    reasons = {addresses.refusal(one, named) if one else "its address cannot be read" for one in found}
    if reasons != {""}:
        raise Refused(sorted(reasons)[-1])
    inside = target.is_named or all(addresses.refusal(one, ()) for one in found if one)
    if target.port not in settings.WEBHOOK_PORTS and not inside:
        raise Refused(f"port {target.port} is not allowed; use {_ports()}")
    if target.scheme == "http" and not all(one and one.is_loopback for one in found):
        raise Refused("must begin with https://")
    return texts[:_MAX_ADDRESSES]


def _ports() -> str:
    return " or ".join(str(port) for port in settings.WEBHOOK_PORTS)


def url_check(url: str, resolve: Resolver = system_resolver) -> None:
    """Raises InvalidInput naming the url, and why it may not be called."""
    try:
        checked_addresses(target_of(url), resolve)
    except Refused as refused:
        raise InvalidInput.field("url", str(refused)) from None
