"""Pages of a table of a million rows: the first, one deep inside, a filtered one; over REST and as HTML."""

import http.client
import json
import statistics
import time
from typing import Any

TRIES = 9
# Every thousandth failed: rare enough that a page of them is spread over the whole table.
_FILL = """
INSERT INTO jobs_job ({columns})
SELECT {values} FROM generate_series(1, %(rows)s) AS n
"""
_VALUES = {
    "id": "uuidv7((n - %(rows)s - 1) * interval '1 second')",
    "organisation_id": "%(organisation)s",
    "kind": "(ARRAY['ehr.ingest', 'fraud.score_batch', 'adapters.train'])[1 + n %% 3]",
    "queue": "'general'",
    "state": "CASE WHEN n %% 1000 = 0 THEN 'failed' ELSE 'succeeded' END",
    "params": "'{}'",
    "message": "''",
    "request_id": "''",
    "created_at": "now() - (%(rows)s - n) * interval '1 second'",
    "priority": "1",
    "done": "1",
    "attempts": "1",
    "fence": "1",
    "cancel_requested": "false",
    "last_event": "0",
}


def measure(stand: Any, *, rows: int) -> dict[str, float]:
    """Milliseconds of each page, the median of nine."""
    _fill(stand, rows)
    api = {"Authorization": f"Bearer {stand.token}"}
    page = {"Cookie": f"sessionid={_session(stand)}"}
    deep = _deep_cursor(stand, rows)
    asked = {
        "table_rest_first_ms": ("/api/v1/jobs?limit=50", api),
        "table_rest_deep_ms": (f"/api/v1/jobs?limit=50&cursor={deep}", api),
        "table_rest_filtered_ms": ("/api/v1/jobs?limit=50&state=failed", api),
        "table_html_first_ms": ("/jobs/", page),
        "table_html_filtered_ms": ("/jobs/?state=failed", page),
    }
    found = {name: _timed(stand.port, path, headers) for name, (path, headers) in asked.items()}
    return {"table_rows": rows, **found, "table_slowest_page_ms": max(found.values())}


def _fill(stand: Any, rows: int) -> None:
    from django.db import connections

    columns, values = ", ".join(_VALUES), ", ".join(_VALUES.values())
    with connections["admin"].cursor() as cursor:
        cursor.execute("ALTER TABLE jobs_job NO FORCE ROW LEVEL SECURITY")
        cursor.execute(
            _FILL.format(columns=columns, values=values),
            {"rows": rows, "organisation": stand.organisation.pk},
        )
        cursor.execute("ALTER TABLE jobs_job FORCE ROW LEVEL SECURITY")
        cursor.execute("ANALYZE jobs_job")
    connections["admin"].close()


def _deep_cursor(stand: Any, rows: int) -> str:
    from rootstock.accounts.tenancy import tenant
    from rootstock.jobs.models import Job

    with tenant(stand.organisation):
        return str(Job.objects.order_by("-pk").values_list("pk", flat=True)[rows // 2])


def _session(stand: Any) -> str:
    from django.test import Client

    from rootstock.accounts.models import Role
    from rootstock.accounts.services import member_add, user_create

    user = user_create(username="bench", password="correct-horse-battery")
    member_add(organisation=stand.organisation, user=user, role=Role.ADMINISTRATOR)
    client = Client()
    client.force_login(user)
    return str(client.cookies["sessionid"].value)


def _timed(port: int, path: str, headers: dict[str, str]) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    times = []
    for _ in range(TRIES + 1):  # the first one warms
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200, (path, answer.status, body[:300])
        assert "html" in str(answer.headers["Content-Type"]) or len(json.loads(body)["items"]) == 50, path
    connection.close()
    return statistics.median(times[1:])
