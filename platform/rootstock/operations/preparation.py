"""What must be there before the processes start, made once. Each step knows whether it has been done."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psycopg
import redis
from django.conf import settings
from django.core.files.storage import storages
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from rootstock.errors import STORAGE_AWAY
from rootstock.operations.environment import environment
from rootstock.operations.preflight import Refusal
from rootstock.registry.base import base_card, base_folder


@dataclass(slots=True, frozen=True)
class Step:
    """One thing to make: what is said while it is made, whether it is there, and how."""

    says: str
    is_done: Callable[[], bool]
    do: Callable[[], None]


def prepare(say: Callable[[str], object]) -> None:
    """Do the steps that are not done yet; raises Refusal when one cannot."""
    _both_database_urls()
    _reach_valkey()
    _reach_database("admin", "the database as its owner (DATABASE_ADMIN_URL)")
    _reach_database("default", "the database (DATABASE_URL)")
    _refuse_wrong_roles()
    _reach_bucket()
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    for step in (
        Step("migrating the database", _is_migrated, _migrate),
        Step("collecting static files", _serves_sources, _collect),
        Step("fetching the base model", lambda: not _is_trained_here() or _has_base(), _fetch),
        Step("converting the base model", _has_base, _convert),
    ):
        if not step.is_done():
            say(step.says)
            step.do()
    connections["default"].close()


def _reach_valkey() -> None:
    try:
        redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=5).ping()
    except (redis.RedisError, ValueError) as error:
        raise Refusal(f"cannot reach Valkey (REDIS_URL): {_first(error)}") from None


def _both_database_urls() -> None:
    names = ("DATABASE_URL", "DATABASE_ADMIN_URL")
    missing = [name for name in names if not os.environ.get(name)]
    if len(missing) == 1:
        given = names[1 - names.index(missing[0])]
        raise Refusal(
            f"{given} is set and {missing[0]} is not: set both, or neither for the embedded database"
        )


def _reach_database(alias: str, what: str) -> None:
    """One connection beside the pool, which would log and try again instead of saying what is wrong."""
    parameters = {"connect_timeout": 5, **connections[alias].get_connection_params()}
    try:
        psycopg.connect(**parameters).close()
    except psycopg.Error as error:
        raise Refusal(f"cannot reach {what}: {_first(error)}") from None


def _reach_bucket() -> None:
    """List, as the sweeps do, the first of what lies in the bucket of the files, where they lie in one."""
    options = settings.STORAGES["default"].get("OPTIONS", {})
    if "bucket_name" not in options:
        return
    bucket, prefix = options["bucket_name"], options["location"]
    try:
        client = cast(Any, storages["default"]).connection.meta.client
        client.list_objects(Bucket=bucket, Prefix=f"{prefix}/" if prefix else "", MaxKeys=1)
    except STORAGE_AWAY as error:
        told = f"cannot reach the bucket {bucket} (ROOTSTOCK_FILES, ROOTSTOCK_S3_ENDPOINT): {_first(error)}"
        raise Refusal(told) from None


def _refuse_wrong_roles() -> None:
    """Migrations must see the rows of every organisation, and would say nothing if they saw none; the application
    must be held to one organisation, and would say nothing if it saw them all."""
    owner, sees_all = _role("admin")
    if not sees_all:
        raise Refusal(
            f"the owner of the tables, {owner} (DATABASE_ADMIN_URL), is bound by row-level security and would "
            f"migrate no rows: as a superuser, run ALTER ROLE {owner} BYPASSRLS"
        )
    application, sees_all = _role("default")
    if sees_all:
        raise Refusal(
            f"the application's role, {application} (DATABASE_URL), is not bound by row-level security: name one that "
            "is neither a superuser nor BYPASSRLS"
        )


def _role(alias: str) -> tuple[str, bool]:
    """The name of a connection's role, and whether it sees the rows of every organisation."""
    try:
        with psycopg.connect(**connections[alias].get_connection_params()) as connection:
            found = connection.execute(
                "SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.Error as error:
        raise Refusal(f"cannot ask the database for the rights of a role: {_first(error)}") from None
    return found or ("", False)


def _first(error: Exception) -> str:
    return str(error).splitlines()[0]


def _is_migrated() -> bool:
    try:
        executor = MigrationExecutor(connections["admin"])
    finally:
        connections["admin"].close()
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _migrate() -> None:
    call_command("migrate", database="admin", verbosity=0, interactive=False)
    connections["admin"].close()


def _serves_sources() -> bool:
    """Outside production the files are served from where they are written."""
    return not settings.PRODUCTION


def _collect() -> None:
    call_command("collectstatic", verbosity=0, interactive=False)


def _has_base() -> bool:
    return base_card() is not None


def _is_trained_here() -> bool:
    """Whether the served base is one that an organisation trained: those are named by their fingerprint."""
    return "@" in settings.BASE_MODEL


def _fetch() -> None:
    from models_zoo.llm.card import ModelError
    from rootstock.registry.base_contents import base_fetch
    from rootstock.registry.trained_bases import trained_base_of_any

    try:
        found = trained_base_of_any(settings.BASE_MODEL)
        if found is None:
            raise Refusal(
                f"ROOTSTOCK_BASE_MODEL is {settings.BASE_MODEL}: no organisation has trained such a base"
            )
        base_fetch(found)
    except ModelError as error:
        raise Refusal(f"ROOTSTOCK_BASE_MODEL: {error}") from None


def _convert() -> None:
    """In a process of its own: the supervisor never imports torch."""
    command = [sys.executable, "-m", "models_zoo.llm", "convert", "--target", str(base_folder())]
    whole = {**os.environ, **environment()}
    done = subprocess.run(command, env=whole, capture_output=True, text=True, check=False)
    if done.returncode or not _has_base():
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Refusal(f"the base model could not be converted: {said[-1] if said else done.returncode}")
