"""The processes that `random_kills.py` kills and `job_start.py` times: workers, beat, submitters.

Imported once by a fork server, so that one that was killed is back within a fraction of a second.
"""

import os
import random
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import django

django.setup()

import celery.apps.beat  # noqa: E402  (these are only here to be loaded before the fork)
import celery.apps.worker  # noqa: E402
import celery.concurrency.prefork  # noqa: E402
import celery.concurrency.thread  # noqa: E402
import celery.worker.consumer  # noqa: E402, F401
import django_celery_beat.schedulers  # noqa: E402, F401
import kombu.transport.redis  # noqa: E402, F401
from django.conf import settings  # noqa: E402  (settings first)
from django.core.checks import run_checks  # noqa: E402
from django.db import connection  # noqa: E402

from rootstock.accounts.tenancy import tenant  # noqa: E402
from rootstock.catalogue import JobKind  # noqa: E402
from rootstock.celery import app  # noqa: E402
from rootstock.errors import Busy, DomainError  # noqa: E402
from rootstock.jobs import cron  # noqa: E402
from rootstock.jobs.handle import JobHandle  # noqa: E402
from rootstock.jobs.models import Job  # noqa: E402
from rootstock.jobs.retry import PASSING  # noqa: E402
from rootstock.jobs.services import job_cancel, job_create  # noqa: E402

KIND, NOTHING = "bench.ledger", "bench.nothing"
TABLE = "bench_ledger"
STEPS = 3
# A job may meet many kills here: it is given up by nobody.
settings.JOB_KINDS[KIND] = JobKind(
    "tests.bench.kill_processes.ledger", "general", "Write a ledger", "jobs:write", max_attempts=100_000
)
settings.JOB_KINDS[NOTHING] = JobKind(
    "tests.bench.kill_processes.nothing", "general", "Say when it began", "jobs:write"
)
cron.SHORTEST_S = 1
run_checks()  # Celery runs them in each worker: they import every address and model
app.finalize()
app.loader.import_default_modules()
ALONE = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"]


def ledger(handle: JobHandle) -> dict[str, Any]:
    """Three steps and an ending, each a row that must be there once. Nothing but the fence keeps it from doubling."""
    fate = random.Random()
    for step in range(STEPS):
        handle.progress(step, STEPS)
        with handle.fenced():
            if not _has(handle.id, step):
                _row(handle.id, step, handle.attempt)
        time.sleep(fate.uniform(0, handle.params["pause"]))
        if fate.random() < 0.03:
            raise Busy("not now", retry_after=0.2)
    if handle.params["file"]:
        handle.artefact("ledger.txt", str(handle.id).encode(), "text/plain")
    with handle.commit() as result:
        _row(handle.id, STEPS, handle.attempt)
        time.sleep(fate.uniform(0, 0.02))  # a wide door for a kill within the transaction
        result["attempt"] = handle.attempt
    return result


def nothing(handle: JobHandle) -> dict[str, Any]:
    """Only says when it began."""
    return {"at": time.time()}


def _has(job: UUID, step: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {TABLE} WHERE job = %s AND step = %s", [job, step])
        return cursor.fetchone() is not None


def _row(job: UUID, step: int, attempt: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} (job, step, attempt) VALUES (%s, %s, %s)", [job, step, attempt])


def worker(log: str, name: str, pool: str, size: int) -> None:
    """A Celery worker, as `manage.py up` starts one."""
    _speak(log)
    app.worker_main(
        ["worker", "-n", f"{name}@bench", "-Q", "general", "--pool", pool, "-c", str(size), *ALONE]
    )


def beat(log: str) -> None:
    """Celery beat, with the clock of the jobs in it."""
    _speak(log)
    app.start(["beat", "--pidfile", "", "--loglevel", "WARNING"])


def submitter(log: str, accepted: str, organisations: list[str], gap_s: float, seed: int) -> None:
    """Submits jobs as the web process does, and writes down each that was accepted; cancels one now and then."""
    _speak(log)
    fate = random.Random(seed)
    book = os.open(accepted, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    mine: list[Job] = []
    while True:
        time.sleep(fate.expovariate(1 / gap_s))
        try:
            if mine and fate.random() < 0.05:
                chosen = fate.choice(mine[-10:])
                job_cancel(organisation=chosen.organisation_id, job_id=chosen.pk)
                continue
            params = {"pause": fate.choice([0.1, 0.4, 0.8]), "file": fate.random() < 0.2}
            priority, owner = fate.choice([0, 1, 1, 2]), UUID(fate.choice(organisations))
            mine.append(job_create(organisation=owner, kind=KIND, params=params, priority=priority))
            os.write(book, f"{mine[-1].pk}\n".encode())
        except (DomainError, *PASSING):  # refused: the client knows that it must ask again
            connection.close()


def _speak(log: str) -> None:
    os.setsid()
    Path(log).parent.mkdir(exist_ok=True, parents=True)
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)


__all__ = ["KIND", "NOTHING", "STEPS", "TABLE", "beat", "ledger", "nothing", "submitter", "tenant", "worker"]
