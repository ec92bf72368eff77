"""Which addresses the platform may call for its users: the public internet, and what the operator has named.

A list of what is allowed in, not of what is kept out, wherever the registries permit it: of IPv6 only global
unicast counts as public, so that mapped, NAT64, local and multicast forms need no line of their own.
Registries: IANA IPv4 and IPv6 special-purpose address registries (RFC 6890).
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC_V4 = [
    ip_network(one)
    for one in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
]  # fmt: skip
_GLOBAL_V6 = ip_network("2000::/3")
# Within it: protocol assignments with Teredo and ORCHID, documentation, 6to4 (which carries an IPv4 address).
_NOT_PUBLIC_V6 = [ip_network(one) for one in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
# A cloud's description of the machine with its credentials, link-local and multicast: no setting opens these.
_NEVER = [
    ip_network(one)
    for one in (
        "169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::254/128", "0.0.0.0/8",
        "224.0.0.0/4", "240.0.0.0/4", "fe80::/10", "ff00::/8", "::/128", "::ffff:0:0/96",
    )
]  # fmt: skip


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def is_public(address: Address) -> bool:
    """Globally reachable, and nobody's special purpose."""
    if isinstance(address, IPv4Address):
        return not _within(address, _NOT_PUBLIC_V4)
    return address in _GLOBAL_V6 and not _within(address, _NOT_PUBLIC_V6)


def refusal(address: Address, allowed: Sequence[Network] = ()) -> str:
    """Why this address may not be called; empty when it may."""
    if getattr(address, "scope_id", None):
        return "an IPv6 address with a zone is not allowed"
    if _within(address, _NEVER):
        return "link-local, metadata, multicast and unspecified addresses are never allowed"
    if not is_public(address) and not _within(address, allowed):
        return "the address is not on the public internet"
    return ""


def parse(text: str) -> Address | None:
    """A literal address in its one usual form; None for anything else."""
    try:
        return ip_address(text)
    except ValueError:
        return None
