"""What must be there before the processes start, made once. Each step knows whether it has been done."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connections
from django.db.migrations.executor import MigrationExecutor

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
    _reach_valkey()
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    for step in (
        Step("migrating the database", _is_migrated, _migrate),
        Step("collecting static files", _serves_sources, _collect),
        Step("converting the base model", _has_base, _convert),
    ):
        if not step.is_done():
            say(step.says)
            step.do()


def _reach_valkey() -> None:
    try:
        redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=5).ping()
    except (redis.RedisError, ValueError) as error:
        raise Refusal(f"cannot reach Valkey (REDIS_URL): {_first(error)}") from None


def _first(error: Exception) -> str:
    return str(error).splitlines()[0]


def _is_migrated() -> bool:
    try:
        executor = MigrationExecutor(connections["admin"])
    except OperationalError as error:
        raise Refusal(
            f"cannot reach the database as its owner (DATABASE_ADMIN_URL): {_first(error)}"
        ) from None
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


def _convert() -> None:
    """In a process of its own: the supervisor never imports torch."""
    command = [sys.executable, "-m", "models_zoo.llm", "convert", "--target", str(base_folder())]
    whole = {**os.environ, **environment()}
    done = subprocess.run(command, env=whole, capture_output=True, text=True, check=False)
    if done.returncode or not _has_base():
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Refusal(f"the base model could not be converted: {said[-1] if said else done.returncode}")
