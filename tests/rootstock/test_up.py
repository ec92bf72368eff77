"""`manage.py up` where it cannot start: one plain line and exit code 2, never a traceback."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from rootstock import embedded
from rootstock.operations import stack
from tests.fixtures.processes import free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
NOBODY = "postgresql://nobody@127.0.0.1:1/nothing"


def up(var: Path, command: str = "up", **environment: str) -> str:
    """What it says on its way out."""
    whole = {"PATH": os.environ["PATH"], "ROOTSTOCK_VAR": str(var), **environment}
    done = subprocess.run(
        [sys.executable, "manage.py", command],
        cwd=ROOT,
        env=whole,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    assert "ROOTSTOCK_VAR: cannot write /proc/rootstock" in up(Path("/proc/rootstock"))


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_a_port_that_is_none(tmp_path: Path, port: str) -> None:
    assert f"ROOTSTOCK_PORT='{port}': expected a number" in up(tmp_path, ROOTSTOCK_PORT=port)


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        said = up(tmp_path, ROOTSTOCK_PORT=str(listener.getsockname()[1]))
    assert f"(process {os.getpid()}): set ROOTSTOCK_PORT to another" in said


def test_an_external_valkey_that_does_not_answer(tmp_path: Path) -> None:
    external = {"DATABASE_URL": NOBODY, "DATABASE_ADMIN_URL": NOBODY, "REDIS_URL": "redis://127.0.0.1:1/0"}
    assert "cannot reach Valkey (REDIS_URL)" in up(tmp_path, ROOTSTOCK_PORT=str(free_port()), **external)


def test_an_external_database_that_does_not_answer(tmp_path: Path, services: None) -> None:
    external = {"DATABASE_URL": NOBODY, "DATABASE_ADMIN_URL": NOBODY, "REDIS_URL": settings.REDIS_URL}
    said = up(tmp_path, ROOTSTOCK_PORT=str(free_port()), **external)
    assert "cannot reach the database as its owner (DATABASE_ADMIN_URL)" in said


def test_an_owner_that_sees_no_rows(tmp_path: Path, services: None) -> None:
    bound = embedded.urls(settings.VAR_DIR).database_url  # the application's role
    external = {"DATABASE_URL": bound, "DATABASE_ADMIN_URL": bound, "REDIS_URL": settings.REDIS_URL}
    said = up(tmp_path, "prepare", **external)
    assert "rootstock_app (DATABASE_ADMIN_URL), is bound by row-level security" in said
    assert "ALTER ROLE rootstock_app BYPASSRLS" in said


def test_an_application_that_sees_every_organisation(tmp_path: Path, services: None) -> None:
    free = embedded.urls(settings.VAR_DIR).database_admin_url  # the owner's role
    external = {"DATABASE_URL": free, "DATABASE_ADMIN_URL": free, "REDIS_URL": settings.REDIS_URL}
    said = up(tmp_path, "prepare", **external)
    assert "rootstock (DATABASE_URL), is not bound by row-level security" in said


COMMANDS = pytest.mark.parametrize("command", ["up", "demo", "prepare"])


@COMMANDS
def test_the_application_s_database_that_does_not_answer(
    tmp_path: Path, services: None, command: str
) -> None:
    external = {
        "DATABASE_URL": NOBODY,
        "DATABASE_ADMIN_URL": embedded.urls(settings.VAR_DIR).database_admin_url,
        "REDIS_URL": settings.REDIS_URL,
    }
    said = up(tmp_path, command, ROOTSTOCK_PORT=str(free_port()), **external)
    assert "cannot reach the database (DATABASE_URL)" in said


@COMMANDS
def test_one_database_url_without_the_other(tmp_path: Path, services: None, command: str) -> None:
    external = {"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/db", "REDIS_URL": settings.REDIS_URL}
    said = up(tmp_path, command, ROOTSTOCK_PORT=str(free_port()), **external)
    assert "DATABASE_URL is set and DATABASE_ADMIN_URL is not: set both" in said


def test_trainings_at_once_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOTSTOCK_TRAININGS", "2")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    (trainer,) = [one for one in stack.processes(stack.Address("127.0.0.1", 1)) if one.name == "trainer"]
    assert list(trainer.command)[list(trainer.command).index("-c") + 1] == "2"
    assert trainer.environment["ROOTSTOCK_THREADS"] == "4"
    monkeypatch.setenv("ROOTSTOCK_TRAININGS", "0")
    with pytest.raises(
        ImproperlyConfigured, match=r"ROOTSTOCK_TRAININGS='0': expected a number from 1 to 16"
    ):
        stack.trainings_at_once()


def test_a_setting_that_is_no_number(tmp_path: Path) -> None:
    assert "ROOTSTOCK_DB_POOL='many': expected a whole number" in up(tmp_path, ROOTSTOCK_DB_POOL="many")
