"""Starts the runtime inside the Celery worker, before it takes its first task, and stops it last."""

import logging
import os
from typing import Any

from celery import bootsteps

log = logging.getLogger(__name__)


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

    def stop(self, parent: Any) -> None:
        """Close the lanes."""
        if self.runtime is not None:
            self.runtime.stop()
            self.runtime = None

    terminate = stop
