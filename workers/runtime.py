"""The worker's runtime: the quantized base loaded once, the handlers of the verticals, their lanes, its health."""

import json
import logging
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4
from weakref import WeakValueDictionary

import psutil
import redis
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from models_zoo.llm.card import BaseCard, ModelError, adapter_reference, read_card
from rootstock.errors import Unavailable
from rootstock.lanes import wire
from rootstock.registry.base import base_folder, base_registered
from rootstock.registry.contents import adapter_fetch
from rootstock.registry.fitness import content_to_serve
from rootstock.registry.shipped import shipped_folder
from workers.engine.protocol import AdapterResidency, Engine
from workers.handlers import BatchHandler, LaneRequest, answer
from workers.lanes import Consumer
from workers.offer import Offer
from workers.residency import Keeper

if TYPE_CHECKING:
    from workers.engine.local import LocalEngine

log = logging.getLogger(__name__)
_HEALTH_S = 1.0
_current: "Runtime | None" = None


class Runtime:
    """One per worker process. Handlers take the engine and adapters from it."""

    def __init__(self, name: str, groups: Sequence[str]) -> None:
        unknown = sorted(set(groups) - set(settings.LANE_GROUPS))
        if unknown or not groups:
            raise ValueError(
                f"ROOTSTOCK_LANES: expected some of {', '.join(settings.LANE_GROUPS)}, not {unknown}"
            )
        self.name, self.groups = name, tuple(groups)
        self.redis: redis.Redis[bytes] = wire.connect()
        self.base: BaseCard | None = None
        self._engine: Engine | None = None
        self._offer: Offer | None = None
        self._loading: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._loading_lock = threading.Lock()
        self._consumers: dict[str, Consumer] = {}
        self._shipped: set[str] = set()
        self._keeper: Keeper | None = None
        self._stopped = threading.Event()
        self._started_at = time.time()

    @property
    def engine(self) -> Engine:
        """The engine on the shared base. Raises Unavailable in a process that serves no language lane."""
        if self._engine is None:
            raise Unavailable("this worker has no base model loaded")
        return self._engine

    def start(self) -> None:
        """Load the base and the handlers, then open the lanes."""
        global _current
        if "language" in self.groups:
            self._load_base()
        for lane_name, lane in settings.LANES.items():
            if lane.group in self.groups:
                handler = import_string(lane.handler)()
                handler.load(self)
                generation = self.base.fingerprint[:16] if self.base and lane.group == "language" else "any"
                self._consumers[lane_name] = Consumer(lane_name, lane, handler, generation)
        for consumer in self._consumers.values():
            consumer.start()
        _current = self
        if self._engine:
            self._keeper = Keeper(self._engine, self._shipped)
            self._keeper.start()
        threading.Thread(target=self._publish_forever, name="health", daemon=True).start()
        log.info("serving %s", ", ".join(self._consumers) or "no lanes")

    def stop(self) -> None:
        """Close the lanes, finish what is in hand, free the device."""
        self._stopped.set()
        self.redis.delete(f"worker:{self.name}")
        if self._keeper:
            self._keeper.stop()
        with ThreadPoolExecutor() as pool:  # side by side: each waits for its own threads
            list(pool.map(lambda consumer: consumer.stop(), self._consumers.values()))
        if self._offer is not None:
            self._offer.close()
        if self._engine is not None:
            self._engine.close()

    def adapter(self, organisation_id: UUID, digest: str) -> str:
        """Make sure that the organisation's adapter of this digest is loaded; returns the name to generate with.

        That is the whole digest: what an organisation calls its adapter is in nobody's way. Raises InvalidInput or
        NotFound for one that is retired, taken back, of another base, or not there.
        """
        content_to_serve(organisation=organisation_id, digest=digest)
        return self._ensure_loaded(digest, adapter_fetch(organisation_id, digest))

    def shipped_adapter(self, name: str, folder: Path) -> str:
        """Load an adapter that ships with Rootstock, or what was retrained of it for this base; its `name@digest`."""
        folder = shipped_folder(self.engine.fingerprint, name, folder)
        reference = adapter_reference(name, folder)
        self._shipped.add(reference)
        self._ensure_loaded(reference, folder)
        self.engine.pin(reference)  # every lane of its vertical needs it
        return reference

    def run_lane(self, lane: str, organisation_id: UUID, payloads: Sequence[dict[str, Any]]) -> list[Any]:
        """The lane's handler for bulk work in this process: results or DomainErrors, in order."""
        consumer = self._consumers.get(lane)
        if consumer is None:
            raise Unavailable(f"this worker does not serve {lane}")
        deadline = time.time() + 3600
        batch = [LaneRequest(uuid4().hex, organisation_id, payload, deadline) for payload in payloads]
        handler, results = cast(BatchHandler, consumer.handler), []
        for start in range(0, len(batch), consumer.lane.max_batch):
            with consumer.lock:  # between two chunks the interactive lane gets its turn
                results += answer(handler, batch[start : start + consumer.lane.max_batch])
        return results

    def _load_base(self) -> None:
        from workers.engine.local import LocalEngine

        self.base = read_card(base_folder())
        engine = LocalEngine(
            base_folder(),
            device=_device(),
            threads=_threads(),
            form=cast(Any, settings.ENGINE_FORM or None),  # one of its words: settings checked that
            slots=settings.ENGINE_SLOTS,
            sequences=settings.ENGINE_SEQUENCES,
            kv_bytes=settings.ENGINE_KV_BYTES,
            adapter_bytes=settings.ENGINE_ADAPTER_BYTES,
            token_ms=settings.ENGINE_TOKEN_MS,
            largest_rank=settings.ENGINE_RANK,
        )
        self._engine = engine
        self._offer_base(engine)
        base_registered(self.base)

    def _offer_base(self, engine: "LocalEngine") -> None:
        """Let trainers map the weights. Where that cannot be, they load their own: no reason not to serve."""
        try:
            description = engine.shared_base()
            if description is not None:
                self._offer = Offer(settings.RUN_DIR, description)
        except (OSError, RuntimeError, ModelError) as error:
            log.warning("the base is not offered to trainers: %s", str(error).partition("\n")[0])

    def _ensure_loaded(self, name: str, folder: Path) -> str:
        with self._loading_lock:
            own = self._loading.setdefault(name, threading.Lock())
        with own:  # many who ask for a new one read it once; nobody waits for another one's
            self.engine.load(name, folder)
        return name

    def _publish_forever(self) -> None:
        while not self._stopped.wait(_HEALTH_S):
            try:
                self._publish()
            except redis.RedisError:
                log.warning("Valkey is away; health not published")

    def _publish(self) -> None:
        with self.redis.pipeline(transaction=False) as pipeline:
            for consumer in self._consumers.values():
                pipeline.set(consumer.alive, 1, ex=wire.ALIVE_S)
                pipeline.llen(consumer.queue)
            waiting = pipeline.execute()[1::2]
        state = self._state(dict(zip(self._consumers, waiting, strict=True)))
        self.redis.set(f"worker:{self.name}", json.dumps(state), ex=wire.ALIVE_S)

    def _state(self, waiting: dict[str, int]) -> dict[str, Any]:
        engine = self._engine
        return {
            "name": self.name,
            "groups": list(self.groups),
            "lanes": waiting,
            "base": _base_state(self.base) if self.base else None,
            "adapters": [self._residency(found) for found in engine.adapters()] if engine else [],
            "engine": asdict(engine.stats()) if engine else None,
            "memory_bytes": psutil.Process().memory_info().rss,
            "started_at": self._started_at,
            "seen_at": time.time(),
        }

    def _residency(self, found: AdapterResidency) -> dict[str, Any]:
        return asdict(found) | {"shipped": found.adapter in self._shipped}


def current() -> Runtime:
    """This process's runtime. Raises Unavailable outside an inference worker."""
    if _current is None:
        raise Unavailable("no runtime in this process")
    return _current


def run_lane(lane: str, organisation_id: UUID, payloads: Sequence[dict[str, Any]]) -> list[Any]:
    """`Runtime.run_lane` of this process, for Celery tasks."""
    return current().run_lane(lane, organisation_id, payloads)


def _base_state(card: BaseCard) -> dict[str, Any]:
    return {"name": card.name, "fingerprint": card.fingerprint, "bytes": card.bytes}


def _device() -> str:
    """Raises ImproperlyConfigured when there is no such device."""
    from models_zoo.llm.devices import device_of

    name = os.environ.get("ROOTSTOCK_DEVICE", "cpu")
    try:
        device_of(name)
    except ModelError as error:
        raise ImproperlyConfigured(f"ROOTSTOCK_DEVICE: {error}") from error
    return name


def _threads() -> int:
    return int(os.environ.get("ROOTSTOCK_THREADS", "0")) or max(1, (os.cpu_count() or 2))
