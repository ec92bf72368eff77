"""Keeps a worker's adapters as the registry wishes: loaded, pinned, warm; and gone once they are retired."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from django.db import Error as DatabaseError
from django.db import connection

from models_zoo.llm.card import AdapterError
from rootstock.errors import AWAY, STORAGE_AWAY
from rootstock.registry.contents import adapter_fetch
from rootstock.registry.wishes import Wish, retired, wishes
from workers.engine.protocol import Engine, EngineError

log = logging.getLogger(__name__)
LOOK_S = 1.0
AGAIN_S = 30.0  # before an adapter that could not be loaded is read again


class Keeper:
    """A thread that looks at the registry once a second. What cannot be done now is tried again after a while."""

    def __init__(self, engine: Engine, shipped: set[str]) -> None:
        self._engine, self._shipped = engine, shipped
        self._pinned: set[str] = set()  # by the registry's wish
        self._refused: dict[str, str] = {}  # why; told once
        self._again: dict[str, float] = {}  # when one that could not be loaded is tried again
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
        for reference in retired(here):
            self._unload(reference)
        for wish in wanted:
            if time.monotonic() >= self._again.get(wish.reference, 0.0):
                self._keep(wish, wish.reference in here)
        for reference in self._pinned - {wish.reference for wish in wanted if wish.pinned}:
            self._pinned.discard(reference)
            self._try(reference, partial(self._engine.pin, reference, pinned=False))

    def _keep(self, wish: Wish, is_here: bool) -> None:
        def keep() -> None:
            if not is_here:
                self._engine.load(wish.reference, adapter_fetch(wish.organisation, wish.digest))
            if wish.pinned and wish.reference not in self._pinned:
                self._engine.pin(wish.reference)
                self._pinned.add(wish.reference)
            self._engine.warm(wish.reference)

        self._again.pop(wish.reference, None)
        if not self._try(wish.reference, keep):
            self._again[wish.reference] = time.monotonic() + AGAIN_S

    def _unload(self, reference: str) -> None:
        self._pinned.discard(reference)
        self._try(reference, partial(self._engine.unload, reference))

    def _try(self, reference: str, what: Callable[[], object]) -> bool:
        try:
            what()
        except (AdapterError, EngineError, OSError, *STORAGE_AWAY) as error:
            told = str(error)
            if self._refused.get(reference) != told:
                self._refused[reference] = told
                log.warning("adapter %s is not kept as wished: %s", reference, told)
            return False
        self._refused.pop(reference, None)
        return True
