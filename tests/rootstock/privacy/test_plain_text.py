"""After small flows of the three verticals no table of the database holds a planted name in plain."""

import json
from typing import Any

import pytest
from django.db import connections

from rootstock.accounts.tenancy import tenant
from rootstock.jobs.models import Job, JobEvent
from tests.rootstock.privacy.conftest import ACCOUNT, COUNTERPARTY, CUSTOMER, SAID, Planted, admit, pay, talk

pytestmark = pytest.mark.everybody


def columns_with(cursor: Any, names: list[str]) -> list[str]:
    """The columns of any table in which one of the names occurs, as text or as bytes."""
    cursor.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns JOIN information_schema.tables"
        " USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )
    found = []
    for table, column, kind in cursor.fetchall():
        shown = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
        cursor.execute(
            f'SELECT count(*) FROM "{table}" WHERE {shown} ILIKE ANY(%s)', [[f"%{name}%" for name in names]]
        )
        if cursor.fetchone()[0]:
            found.append(f"{table}.{column}")
    return found


def test_it_works(planted: Planted, django_db_blocker: Any) -> None:
    pay(planted.organisation, (ACCOUNT, COUNTERPARTY))
    talk(planted.organisation)
    made = admit(planted.organisation, 1)
    person = made.person
    subject = planted.find(person.mrn)
    planted.ask(planted.find(CUSTOMER), "export")
    planted.api._client.put(
        f"/api/v1/privacy/subjects/{subject['id']}/hold",
        {"reason": f"asked by {person.name}"},
        content_type="application/json",
    )
    names = [
        "Lovelace", "Babbage", CUSTOMER, SAID, "Ockham Park", person.family, person.mrn, person.phone,
        person.street, person.doctor, person.birth.isoformat(), person.relative_phone, person.employer,
    ]  # fmt: skip
    with connections["admin"].cursor() as cursor:
        assert columns_with(cursor, names) == []
        assert columns_with(cursor, [planted.organisation.name])  # the search finds what is there
    connections["admin"].close()


def test_jobs_hold_ids_only(planted: Planted) -> None:
    made = admit(planted.organisation, 2)
    talk(planted.organisation)
    planted.ask(planted.find(CUSTOMER), "export")
    with tenant(planted.organisation):
        rows = list(Job.objects.values("params", "result", "error", "message"))
        rows += list(JobEvent.objects.values("data"))
    told = json.dumps(rows)
    assert not any(word in told for word in ("Lovelace", made.person.family, made.person.mrn))
