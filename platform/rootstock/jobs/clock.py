"""What must go on whatever the workers and the broker do: a thread of the beat process.

As tasks on a queue, the reaper and the schedules would wait behind the very jobs that they look after. Two of these
clocks side by side do no harm: every step locks or compares before it changes a row.
"""

import logging
import threading
from typing import Any

from celery.signals import beat_init
from django.conf import settings
from django.db import connection

from rootstock.jobs.reaping import jobs_reap
from rootstock.jobs.retry import PASSING
from rootstock.jobs.schedules import schedules_run
from rootstock.lanes.health import BEAT, process_alive

log = logging.getLogger(__name__)
EVERY_S = settings.JOB_LEASE_S / 3


def beat_alive() -> None:
    """Say that beat lives, for three rounds."""
    process_alive(BEAT, [BEAT], for_s=round(3 * EVERY_S) + 1)


WORK = (beat_alive, jobs_reap, schedules_run)


@beat_init.connect
def start(**kwargs: Any) -> None:
    """Beat has started: so does the clock."""
    threading.Thread(target=_run, name="job-clock", daemon=True).start()


def _run() -> None:
    waiting = threading.Event()
    while True:
        for work in WORK:
            tick(work)
        connection.close()
        waiting.wait(EVERY_S)


def tick(work: Any) -> None:
    """One round. A database that is away is waited for; any other fault is logged, and the clock goes on."""
    try:
        work()
    except PASSING as error:
        log.warning("%s: a service is away: %s", work.__name__, type(error).__name__)
        connection.close()
    except Exception:
        log.exception("%s", work.__name__)
