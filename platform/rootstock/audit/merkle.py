"""Merkle trees as in RFC 9162, section 2.1: leaves and nodes are hashed apart, and a proof is the way to the root."""

from collections.abc import Sequence
from hashlib import sha256


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root over these leaves, in this order. Of none it is the hash of nothing."""
    if not leaves:
        return sha256(b"").digest()
    level = [_leaf(leaf) for leaf in leaves]
    while len(level) > 1:  # pairing from the left gives the RFC's tree: an odd last node moves up as it is
        paired = [_node(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
        level = paired + level[len(paired) * 2 :]
    return level[0]


def merkle_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root, the lowest first."""
    path: list[bytes] = []
    level = [_leaf(leaf) for leaf in leaves]
    while len(level) > 1:
        if (sibling := index ^ 1) < len(level):
            path.append(level[sibling])
        paired = [_node(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
        level, index = paired + level[len(paired) * 2 :], index // 2
    return path


def merkle_check(leaf: bytes, index: int, count: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from `leaf`, the one at `index` of `count`, to `root`."""
    if not 0 <= index < count:
        return False
    left_over = list(path)
    found, last = _leaf(leaf), count - 1
    while last:
        if index % 2 or index < last:
            if not left_over:
                return False
            sibling = left_over.pop(0)
            found = _node(sibling, found) if index % 2 else _node(found, sibling)
        index, last = index // 2, last // 2
    return not left_over and found == root


def _leaf(value: bytes) -> bytes:
    return sha256(b"\x00" + value).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()
