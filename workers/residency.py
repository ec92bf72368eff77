"""Keeps a worker's adapters as the registry wishes: loaded, pinned, warm; out of memory once nobody wishes it, and
gone once they are retired."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connection

from models_zoo.llm.card import AdapterError
from rootstock.errors import AWAY, STORAGE_AWAY
from rootstock.registry.contents import adapter_fetch
from rootstock.registry.wishes import Wish, ended, wishes
from workers.engine.protocol import Engine, EngineError

log = logging.getLogger(__name__)
LOOK_S = 1.0
Key = tuple[UUID | None, str]  # whose wish, and the content
AGAIN_S = 30.0  # before an adapter that could not be loaded is read again


class Keeper:
    """A thread that looks at the registry once a second. What cannot be done now is tried again after a while."""

    def __init__(self, engine: Engine, shipped: set[str]) -> None:
        self._engine, self._shipped = engine, shipped
        self._pinned: set[str] = set()  # by the registry's wish
        self._kept: set[str] = set()  # because somebody said so
        self._refused: dict[Key, str] = {}  # why; told once
        self._again: dict[Key, float] = {}  # when one that could not be loaded is tried again
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="residency", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_S):
            try:
                self.look()
            except (DatabaseError, *AWAY) as error:
                log.warning("the registry cannot be asked what to keep: %s", type(error).__name__)
            except Exception:  # the thread goes on: nobody else would load what an alias is about to serve
                log.exception("what the registry wishes was not done")
            finally:
                connection.close()

    def look(self) -> None:
        """Once."""
        wanted = wishes(self._engine.fingerprint)
        here = {one.adapter for one in self._engine.adapters()} - self._shipped
        over = ended(here)
        for digest in over:
            self._unload(digest)
        for wish in wanted:
            if time.monotonic() >= self._again.get(_key(wish), 0.0):
                self._keep(wish, wish.digest in here)
        for digest in self._pinned - {wish.digest for wish in wanted if wish.pinned}:
            self._pinned.discard(digest)
            self._try((None, digest), partial(self._engine.pin, digest, pinned=False))
        for digest in (self._kept & here) - over - {wish.digest for wish in wanted}:
            self._try((None, digest), partial(self._engine.cool, digest))
        self._kept = {wish.digest for wish in wanted if wish.kept}

    def _keep(self, wish: Wish, is_here: bool) -> None:
        def keep() -> None:
            if not is_here:
                self._engine.load(wish.digest, adapter_fetch(wish.organisation, wish.digest))
            if wish.pinned and wish.digest not in self._pinned:
                self._engine.pin(wish.digest)
                self._pinned.add(wish.digest)
            self._engine.warm(wish.digest)

        self._again.pop(_key(wish), None)
        if not self._try(_key(wish), keep):
            self._again[_key(wish)] = time.monotonic() + AGAIN_S

    def _unload(self, digest: str) -> None:
        self._pinned.discard(digest)
        self._try((None, digest), partial(self._engine.unload, digest))

    def _try(self, key: Key, what: Callable[[], object]) -> bool:
        try:
            what()
        except (AdapterError, EngineError, OSError, *STORAGE_AWAY) as error:
            told = str(error)
            if self._refused.get(key) != told:
                self._refused[key] = told
                log.warning("adapter %s is not kept as wished: %s", key[1], told)
            return False
        self._refused.pop(key, None)
        return True


def _key(wish: Wish) -> Key:
    """Whose files are torn is no reason not to read another organisation's of the same content."""
    return wish.organisation, wish.digest
