"""The job that searches for cycles, on a site of its own: payments of a generated world lie in its PostgreSQL."""

from __future__ import annotations

import json
import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from models_zoo.fraud.events import Records
from tests.bench.stand import running

AT_ONCE = 10_000
_COPY = """
INSERT INTO fraud_transaction ({columns})
SELECT {values} FROM fraud_transaction AS one, json_to_recordset(%s::json) AS given(
    id uuid, sequence bigint, external_id text, payer_key bigint, payee_key bigint, amount numeric,
    occurred_at timestamptz)
WHERE one.sequence = 1
"""
_GIVEN = ("id", "sequence", "external_id", "payer_key", "payee_key", "amount", "occurred_at")


def measured(batch: Records) -> dict[str, float]:
    """Seconds that two searches take: the first keeps what it finds, the second knows it."""
    var = running.prepare_environment()
    os.environ["DJANGO_SETTINGS_MODULE"] = "rootstock.settings"
    import django

    django.setup()
    from rootstock import embedded

    embedded.ensure(var)
    try:
        from django.core.management import call_command

        call_command("migrate", database="admin", verbosity=0, interactive=False)
        organisation, _ = running.caller("fraud:read", "fraud:write")
        _fill(organisation, batch)
        first, second = _searched(organisation), _searched(organisation)
    finally:
        embedded.stop(var)
        shutil.rmtree(var, ignore_errors=True)
    assert first["new"] == second["known"] > 0 == second["new"]
    payments = first["payments"]
    return {
        "job_payments": payments,
        "job_found": first["found"],
        "job_seconds_per_100k": first["seconds"] / payments * 1e5,
        "job_cpu_seconds_per_100k": first["cpu"] / payments * 1e5,
        "job_again_seconds_per_100k": second["seconds"] / payments * 1e5,
    }


def _searched(organisation: Any) -> dict[str, Any]:
    """The job's result, with the seconds that it took here and its processor time without PostgreSQL's."""
    from apps.fraud.cycles.asking import search_start
    from apps.fraud.cycles.schemas import CycleSearchIn
    from rootstock.accounts.tenancy import tenant
    from rootstock.jobs.models import Job
    from rootstock.jobs.ownership import job_claim
    from rootstock.jobs.running import run_claimed

    wanted = CycleSearchIn.model_validate({"days": 366, "most": 10_000})
    asked = search_start(organisation=organisation, wanted=wanted)
    began, used = time.perf_counter(), time.process_time()
    claimed = job_claim(organisation=organisation.pk, job_id=asked.pk)
    assert claimed is not None
    run_claimed(claimed)
    took, used = time.perf_counter() - began, time.process_time() - used
    with tenant(organisation):
        job = Job.objects.get(pk=asked.pk)
    assert job.state == "succeeded", job.error
    return {**job.result, "seconds": took, "cpu": used}


def _fill(organisation: Any, batch: Records) -> None:
    """Every payment is a copy of one that was stored in the usual way, with keys, amount and time of its own."""
    from django.db import connection

    from apps.fraud.ingest import NewTransaction, counter_lock, listed, payments_store
    from apps.fraud.models import IngestCounter, Transaction
    from rootstock.accounts.tenancy import tenant
    from rootstock.ids import uuid7

    began = datetime(2026, 3, 2, tzinfo=UTC)
    one = NewTransaction("p-0", "A", "B", Decimal("1.00"), "EUR", "instant", began - timedelta(days=2))
    names = [field.column for field in Transaction._meta.concrete_fields]
    sql = _COPY.format(
        columns=", ".join(names),
        values=", ".join(f"given.{name}" if name in _GIVEN else f"one.{name}" for name in names),
    )
    times = [began + timedelta(seconds=float(moment)) for moment in batch["time"] - batch["time"].min()]
    with tenant(organisation):
        payments_store(counter_lock(organisation), [one], listed)
    for at in range(0, len(batch), AT_ONCE):
        rows = [
            (str(uuid7()), at + n + 2, f"p-{at + n + 1}", *keys, f"{amount:.2f}", moment.isoformat())
            for n, (*keys, amount, moment) in enumerate(
                zip(
                    batch["payer"][at : at + AT_ONCE].tolist(),
                    batch["payee"][at : at + AT_ONCE].tolist(),
                    batch["amount"][at : at + AT_ONCE].tolist(),
                    times[at : at + AT_ONCE],
                    strict=True,
                )
            )
        ]
        given = json.dumps([dict(zip(_GIVEN, row, strict=True)) for row in rows])
        with tenant(organisation), connection.cursor() as cursor:
            cursor.execute(sql, [given])
    with tenant(organisation):
        IngestCounter.objects.update(last=len(batch) + 1, latest_at=times[-1])
