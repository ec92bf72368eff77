"""Verification of an exported trail, without the database: all that is needed is the file and SHA-256."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from rootstock.audit.canonical import canonical
from rootstock.audit.merkle import merkle_root
from rootstock.audit.verify import ChainBroken, Verdict

_ROOT = ("organisation", "sequence", "count", "merkle", "previous", "at")


def file_verify(path: Path) -> Verdict:
    """Verify an export. Where it begins in the middle of the chain, its first root is taken as the beginning."""
    walk = _File()
    broken = None
    try:
        with path.open("rb") as lines:
            walk.run(lines)
    except ChainBroken as found:
        broken = found.place
    return Verdict(
        broken is None, len(walk.roots), walk.leaves, walk.waiting, walk.taken, walk.previous, broken
    )


class _File:
    """One pass over the lines."""

    def __init__(self) -> None:
        self.roots: list[dict[str, Any]] = []
        self.leaves = self.waiting = self.taken = 0
        self.previous = ""
        self.digest = sha256()
        self._root: dict[str, Any] | None = None
        self._digests: list[bytes] = []

    def run(self, lines: Iterator[bytes]) -> None:
        """Raises ChainBroken."""
        number, ended = 0, False
        for number, line in enumerate(lines, start=1):
            try:
                if ended:
                    raise ValueError("behind the manifest")
                ended = self._take(line, number)
            except (ValueError, KeyError, TypeError, AttributeError):
                says = f"line {number} is not a line of an export"
                raise ChainBroken("changed", "line", number, None, says) from None
        if not ended:
            says = f"the file ends after line {number}, without its manifest"
            raise ChainBroken("deleted", "manifest", number, None, says)

    def _take(self, line: bytes, number: int) -> bool:
        """One line; true for the last."""
        found = json.loads(line)
        if found["type"] == "manifest":
            self._close()
            self._manifest(found, line)
            return True
        self.digest.update(line)
        self._line(found, number)
        return False

    def _line(self, found: dict[str, Any], number: int) -> None:
        if found["type"] not in ("root", "leaf", "waiting"):
            raise ValueError(found["type"])
        if found["type"] == "root":
            self._close()
            self._open(found)
            return
        digest = bytes.fromhex(found["digest"])
        if found["content"] is None:
            self.taken += 1
        elif sha256(canonical(found["content"])).digest() != digest:
            raise ChainBroken("changed", "line", number, None, f"line {number} was changed")
        if found["type"] == "leaf":
            self._digests.append(digest)
            self.leaves += 1
        else:
            self.waiting += 1

    def _open(self, root: dict[str, Any]) -> None:
        sequence = root["sequence"]
        content = {name: root[name] for name in _ROOT}
        if sha256(canonical(content)).hexdigest() != root["hash"]:
            raise ChainBroken("root_changed", "root", sequence, sequence, f"root {sequence} was changed")
        if self.roots and sequence != self.roots[-1]["sequence"] + 1:
            missing = self.roots[-1]["sequence"] + 1
            raise ChainBroken("root_missing", "root", missing, missing, f"root {missing} is missing")
        if self.roots and root["previous"] != self.previous:
            says = f"root {sequence} does not follow the one before it"
            raise ChainBroken("root_changed", "root", sequence, sequence, says)
        self._root, self._digests, self.previous = root, [], root["hash"]
        self.roots.append({"sequence": sequence, "hash": root["hash"]})

    def _close(self) -> None:
        root = self._root
        if root is None:
            return
        self._root = None
        if len(self._digests) != root["count"] or merkle_root(self._digests).hex() != root["merkle"]:
            sequence = root["sequence"]
            says = f"the rows of root {sequence} are not those that it sealed"
            raise ChainBroken("changed", "root", sequence, sequence, says)

    def _manifest(self, found: dict[str, Any], line: bytes) -> None:
        same = (found["roots"], found["leaves"], found["waiting"]) == (self.roots, self.leaves, self.waiting)
        same = same and line == canonical(found) + b"\n"
        digest = found.pop("sha256")
        self.digest.update(canonical(found))
        if not same or digest != self.digest.hexdigest():
            says = "the file is not the one that its manifest describes"
            raise ChainBroken("changed", "manifest", "", None, says)
