"""Settings read from the environment."""

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
