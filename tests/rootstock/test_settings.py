"""Settings read from the environment."""

import subprocess
import sys

import pytest

from rootstock import settings, variables


def test_the_options_of_the_database_url_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "DATABASE_URL", "postgresql://u:p@db.example:5433/data?sslmode=require&connect_timeout=4"
    )
    found = variables.database("DATABASE_URL", "", pool={"timeout": 3})
    assert found["OPTIONS"] == {"sslmode": "require", "connect_timeout": "4", "pool": {"timeout": 3}}
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db.example", "5433", "data")


def test_the_application_s_connections_are_pooled() -> None:
    assert settings.DATABASES["default"]["OPTIONS"]["pool"]["timeout"] == 3


def test_a_form_that_no_engine_has_is_refused_by_its_variable() -> None:
    code = "import os; os.environ['ROOTSTOCK_ENGINE_FORM'] = 'fp4'; import rootstock.settings"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.strip().endswith("ROOTSTOCK_ENGINE_FORM='fp4': expected one of , int4, fp8, bfloat16")
