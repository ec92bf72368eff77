"""The real stack for the bench: embedded services, granian with Rootstock's own flags, a worker with the echo lane."""

import dataclasses
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SETTINGS = "tests.bench.stand.settings"
SCOPES = ("fraud:read", "fraud:write", "jobs:read", "adapters:read", "audit:read")


@dataclass(frozen=True)
class Stand:
    """A running stack and a key for it, whose rate has no limit."""

    port: int
    alone_port: int  # of one web process, whatever the number behind `port` is
    token: str
    organisation: Any
    var: Path
    supervisor: Any
    names: tuple[str, ...]


def prepare_environment() -> Path:
    """A fresh `var` and the bench's settings, before anything reads them."""
    var = Path(tempfile.mkdtemp(prefix="rootstock-bench-"))
    var.chmod(0o755)
    os.environ |= {
        "ROOTSTOCK_VAR": str(var),
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "ROOTSTOCK_PORT": str(_free_port()),
        "ROOTSTOCK_JOB_LEASE_S": os.environ.get("ROOTSTOCK_JOB_LEASE_S", "3"),
    }
    return var


@contextmanager
def running(var: Path) -> Iterator[Stand]:
    """Web and the echo worker as `manage.py up` starts them, until the block is left."""
    import django

    django.setup()
    from rootstock import embedded
    from rootstock.operations import stack
    from rootstock.supervisor import Output, Supervisor

    embedded.ensure(var)
    try:
        _migrate()
        organisation, token = caller(*SCOPES)
        web = stack.address()
        alone = stack.Address(web.host, _free_port())
        definitions = [_web(stack, web), _web_alone(stack, alone), _echo_worker(stack)]
        ours = [_with_settings(each) for each in definitions]
        with (var / "stand.log").open("w") as log, Supervisor(var, ours, Output(log)) as supervisor:
            supervisor.start()
            supervisor.wait_ready()
            yield Stand(
                web.port, alone.port, token, organisation, var, supervisor, tuple(each.name for each in ours)
            )
    finally:
        embedded.stop(var)
        shutil.rmtree(var, ignore_errors=True)


def _web(stack: Any, address: Any) -> Any:
    return next(each for each in stack.processes(address) if each.name == "web")


def _web_alone(stack: Any, address: Any) -> Any:
    web = _web(stack, address)
    command = list(web.command)
    command[command.index("--workers") + 1] = "1"
    return dataclasses.replace(web, name="web-alone", command=command)


def _echo_worker(stack: Any) -> Any:
    score = next(each for each in stack.processes(stack.address()) if each.name == "score")
    command = [word.replace("score", "bench") for word in score.command]
    return dataclasses.replace(
        score, name="bench", command=command, environment={**score.environment, "ROOTSTOCK_LANES": "bench"}
    )


def _with_settings(definition: Any) -> Any:
    whole = {**definition.environment, "DJANGO_SETTINGS_MODULE": SETTINGS}
    return dataclasses.replace(definition, environment=whole)


def _migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", database="admin", verbosity=0, interactive=False)


def caller(*scopes: str) -> tuple[Any, str]:
    """An organisation, and a key with these scopes whose rate has no limit."""
    from rootstock.accounts.services import api_key_create, organisation_create
    from rootstock.accounts.tenancy import tenant

    organisation = organisation_create(name="Bench")
    key, token = api_key_create(organisation=organisation, name="bench", scopes=scopes)
    key.rate_per_minute = 0
    with tenant(organisation):
        key.save(update_fields=["rate_per_minute"])
    return organisation, token


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(stand: Stand) -> float:
    """What web, workers, Valkey and PostgreSQL of this stand have used; the load generator is not among them."""
    import psutil

    pids = {stand.supervisor.pid(name) for name in stand.names}
    total = 0.0
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        try:
            ours = process.pid in pids or any(parent.pid in pids for parent in process.parents())
            served = str(process.info["cwd"] or "").startswith(str(stand.var.resolve()))
            if ours or served:
                total += sum(process.cpu_times()[:2])
        except psutil.Error:
            continue
    return total
