"""The processes of `random_kills.py` while they run, and the ways to kill one."""

import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil

TARGETS = {
    "worker": 34, "pool child": 12, "submitter": 16, "beat": 12, "postgres backend": 10, "valkey": 8,
    "valkey emptied": 4, "postmaster": 4,
}  # fmt: skip


@dataclass
class Role:
    """One process to be: how it is started, and what runs."""

    name: str
    target: Callable[..., None]
    arguments: tuple[Any, ...]
    process: BaseProcess | None = None


@dataclass
class Site:
    """The processes beside the embedded services."""

    var: Path
    roles: list[Role]
    organisations: list[UUID]
    context: Any
    killed: Counter[str] = field(default_factory=Counter)
    orphans: list[tuple[float, psutil.Process]] = field(default_factory=list)
    leaving: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Start what does not run."""
        for role in self.roles:
            if role.process is None or not role.process.is_alive():
                role.process = self.context.Process(
                    target=role.target, args=(str(self.var / "log" / role.name), *role.arguments)
                )
                role.process.start()

    def mend(self) -> None:
        """Until the end: start services that were killed, and end the children of killed workers after a while."""
        from rootstock import embedded

        while not self.leaving.wait(0.2):
            try:
                embedded.heal(self.var)
            except (embedded.EmbeddedError, OSError) as error:
                print(f"heal: {error}", file=sys.stderr)
            now = time.monotonic()
            for due, orphan in self.orphans:
                if now >= due:
                    _kill(orphan)
            self.orphans = [(due, orphan) for due, orphan in self.orphans if now < due]

    def stop(self) -> None:
        """End everything that was started here."""
        self.leaving.set()
        for role in self.roles:
            if role.process is not None and role.process.pid is not None:
                for child in _children(role.process.pid):
                    _kill(child)
                role.process.kill()
                role.process.join()
        for _, orphan in self.orphans:
            _kill(orphan)

    def kill(self, what: str, fate: random.Random) -> bool:
        """One kill; False when there is nothing of that sort just now."""
        found = _SEARCH[what](self, fate)
        if found is None:
            return False
        if what == "valkey emptied":
            return _empty_valkey()
        if what == "worker":  # its pool's children live on for a while: they still own their jobs
            self.orphans += [(time.monotonic() + fate.uniform(0, 3), c) for c in _children(found.pid)]
        return _kill(found)


def _kill(process: psutil.Process) -> bool:
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return False
    return True


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _role(prefix: str) -> Callable[[Site, random.Random], psutil.Process | None]:
    def find(site: Site, fate: random.Random) -> psutil.Process | None:
        alive = [
            r.process for r in site.roles if r.name.startswith(prefix) and r.process and r.process.is_alive()
        ]
        return _process(fate.choice(alive).pid) if alive else None

    return find


def _process(pid: int | None) -> psutil.Process | None:
    try:
        return psutil.Process(pid) if pid else None
    except psutil.NoSuchProcess:
        return None


def _pool_child(site: Site, fate: random.Random) -> psutil.Process | None:
    children = [c for r in site.roles if r.process and r.process.pid for c in _children(r.process.pid)]
    return fate.choice(children) if children else None


def _server(name: str, backend: bool) -> Callable[[Site, random.Random], psutil.Process | None]:
    def find(site: Site, fate: random.Random) -> psutil.Process | None:
        from rootstock.embedded import postgres, valkey
        from rootstock.embedded.place import find_place

        place = find_place(site.var)
        found = (postgres._postmaster if name == "postgres" else valkey._server)(place)
        if found is None or not backend:
            return found
        backends = [c for c in _children(found.pid) if "rootstock_app" in " ".join(c.cmdline())]
        return fate.choice(backends) if backends else None

    return find


def _empty_valkey() -> bool:
    import redis

    from rootstock.lanes import wire

    try:
        with wire.connect() as valkey:
            valkey.flushall()
    except redis.RedisError:
        return False
    return True


_SEARCH: dict[str, Callable[[Site, random.Random], psutil.Process | None]] = {
    "worker": _role("worker"),
    "pool child": _pool_child,
    "submitter": _role("submitter"),
    "beat": _role("beat"),
    "postgres backend": _server("postgres", backend=True),
    "postmaster": _server("postgres", backend=False),
    "valkey": _server("valkey", backend=False),
    "valkey emptied": _server("valkey", backend=False),
}
