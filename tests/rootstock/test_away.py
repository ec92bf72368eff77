"""A database or Valkey that is away: 503 with Retry-After for programs and people, never a 500."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from django.db import OperationalError
from django.test import RequestFactory
from psycopg_pool import PoolTimeout

from rootstock.middleware import DomainErrorMiddleware

ROOT = Path(__file__).resolve().parents[2]
NOBODY = "postgresql://nobody@127.0.0.1:1/nothing"
ASK = """
import json, django
django.setup()
from django.test import Client
client = Client(raise_request_exception=False)
client.cookies["sessionid"] = "a" * 32
api = client.get("/api/v1/jobs", headers={"authorization": "Bearer rsk_" + "a" * 12 + "_" + "a" * 43})
session = client.get("/api/v1/jobs")
page = client.get("/", headers={"accept": "text/html"})
print(json.dumps([[r.status_code, r["Content-Type"], r.get("Retry-After"), r.content.decode()]
                  for r in (api, session, page)]))
"""


@pytest.mark.slow
def test_without_the_database(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "DJANGO_SETTINGS_MODULE": "rootstock.settings",
        "ROOTSTOCK_VAR": str(tmp_path),
        "DATABASE_URL": NOBODY,
    }
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    api, session, page = json.loads(done.stdout.splitlines()[-1])
    for answer in (api, session):
        assert answer[:3] == [503, "application/problem+json", "2"]
        assert json.loads(answer[3])["code"] == "unavailable"
    assert page[:3] == [503, "text/html; charset=utf-8", "2"]
    assert "try again in a moment" in page[3]
    assert "nobody" not in page[3] + api[3]


@pytest.mark.parametrize("kind", [OperationalError, PoolTimeout, redis.ConnectionError, redis.TimeoutError])
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_every_such_error_of_a_page(kind: type[Exception], accept: str) -> None:
    request = RequestFactory().get("/", headers={"accept": accept})
    answer = DomainErrorMiddleware(lambda request: None).process_exception(request, kind("host db.example"))
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert b"db.example" not in answer.content
