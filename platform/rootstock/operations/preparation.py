"""What must be there before the processes start, made once. Each step knows whether it has been done."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from rootstock.operations.preflight import Refusal
from rootstock.registry.base import base_card, base_folder


@dataclass(slots=True, frozen=True)
class Step:
    """One thing to make: what is said while it is made, whether it is there, and how."""

    says: str
    is_done: Callable[[], bool]
    do: Callable[[], None]


def prepare(say: Callable[[str], None], environment: Mapping[str, str]) -> None:
    """Do the steps that are not done yet; raises Refusal when one cannot."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    for step in (
        Step("migrating the database", _is_migrated, _migrate),
        Step("converting the base model", _has_base, lambda: _convert(environment)),
    ):
        if not step.is_done():
            say(step.says)
            step.do()


def _is_migrated() -> bool:
    executor = MigrationExecutor(connections["admin"])
    try:
        return not executor.migration_plan(executor.loader.graph.leaf_nodes())
    finally:
        connections["admin"].close()


def _migrate() -> None:
    call_command("migrate", database="admin", verbosity=0, interactive=False)
    connections["admin"].close()


def _has_base() -> bool:
    return base_card() is not None


def _convert(environment: Mapping[str, str]) -> None:
    """In a process of its own: the supervisor never imports torch."""
    command = [sys.executable, "-m", "models_zoo.llm", "convert", "--target", str(base_folder())]
    done = subprocess.run(
        command,
        cwd=settings.BASE_DIR,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not _has_base():
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Refusal(f"the base model could not be converted: {said[-1] if said else done.returncode}")
