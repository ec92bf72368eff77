"""Within the Celery worker: the runtime, started before the first task and stopped last, and its sign of life."""

import gc
import os
from contextlib import suppress
from typing import Any

import redis
from celery import bootsteps

from rootstock.lanes.health import process_alive, process_ended

_ALIVE_EVERY_S = 1.0


class RuntimeStep(bootsteps.StartStopStep):
    """On in workers started with ROOTSTOCK_LANES; off in trainer, general and webhooks, which hold no model."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        groups = [group for group in os.environ.get("ROOTSTOCK_LANES", "").split(",") if group]
        self.enabled, self.groups = bool(groups), groups
        self.runtime: Any = None

    def start(self, parent: Any) -> None:
        """Load the models and open the lanes."""
        from workers.runtime import Runtime

        self.runtime = Runtime(parent.hostname, self.groups)
        self.runtime.start()
        gc.collect()
        gc.freeze()  # models stay: walking through what they consist of takes a quarter of a second

    def stop(self, parent: Any) -> None:
        """Close the lanes."""
        if self.runtime is not None:
            self.runtime.stop()
            self.runtime = None

    terminate = stop


class AliveStep(bootsteps.StartStopStep):
    """While the worker takes from its queues, it says so once a second from its own loop: one that hangs does not."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self.timer: Any = None

    def start(self, parent: Any) -> None:
        """The worker takes from its queues now."""
        queues = sorted(parent.app.amqp.queues.consume_from)
        self.timer = parent.timer.call_repeatedly(_ALIVE_EVERY_S, _alive, (parent.hostname, queues))

    def stop(self, parent: Any) -> None:
        """No longer."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
            with suppress(redis.RedisError):
                process_ended(parent.hostname)

    shutdown = stop


def _alive(name: str, queues: list[str]) -> None:
    with suppress(redis.RedisError):  # who cannot say so is not there for anybody who asks
        process_alive(name, queues)
