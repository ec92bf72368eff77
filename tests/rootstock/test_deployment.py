"""docker-compose.yml and Dockerfile against the code they start: Docker itself is not needed to see a wrong name."""

import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
NAMESPACES = "gpu"  # does nothing but hold them
OURS = {
    name: service
    for name, service in SERVICES.items()
    if "rootstock" in service["image"] and name != NAMESPACES
}
PROFILES = ("gpu", "cpu")


def in_profile(profile: str) -> dict[str, dict[str, Any]]:
    return {name: each for name, each in SERVICES.items() if profile in each.get("profiles", PROFILES)}


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1] if name in command else ""


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_command_names_something_that_exists(name: str) -> None:
    command = OURS[name]["command"]
    if command[0] == "granian":
        module, attribute = command[-1].split(":")
    elif command[0] == "celery":
        module, attribute = option(command, "-A"), "app"
    else:
        assert command[:2] == ["python", "manage.py"]
        assert command[2] in get_commands()
        return
    assert hasattr(importlib.import_module(module), attribute)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_queue_and_lane_is_served(profile: str) -> None:
    commands = [each.get("command", []) for each in in_profile(profile).values()]
    queues = {queue for command in commands for queue in option(command, "-Q").split(",")}
    routed = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    wanted = {kind.queue for kind in settings.JOB_KINDS.values()} | routed
    assert wanted | {settings.CELERY_TASK_DEFAULT_QUEUE} <= queues
    environments = [each.get("environment", {}) for each in in_profile(profile).values()]
    groups = {group for each in environments for group in each.get("ROOTSTOCK_LANES", "").split(",")}
    assert {lane.group for lane in settings.LANES.values()} <= groups


def test_every_secret_is_required_with_a_message() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for name in re.findall(r"\$\{(\w*(?:PASSWORD|SECRET)\w*)", text):
        assert re.search(rf"\$\{{{name}:\?set {name}", text), f"{name} needs ${{{name}:?set {name}}}"
    assert not re.findall(r"\$\{\w*(?:PASSWORD|SECRET)\w*(?::-|\})", text), (
        "a secret with a default or without a check"
    )


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"prepare", "beat", NAMESPACES}))
def test_every_service_that_stays_up_says_how_it_is(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", ["worker", "trainer"])
def test_the_gpu_services_reserve_a_device(name: str) -> None:
    devices = SERVICES[name]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]


def test_the_trainer_can_map_the_workers_weights() -> None:
    for name in ("worker", "trainer"):  # of one another's they would lose them when the other restarts
        shared = f"service:{NAMESPACES}"
        assert (SERVICES[name]["ipc"], SERVICES[name]["pid"]) == (shared, shared)
        assert not SERVICES[name]["init"]
    assert SERVICES[NAMESPACES]["ipc"] == "shareable"
    assert SERVICES[NAMESPACES]["init"]
    assert SERVICES[NAMESPACES]["command"] == ["sleep", "infinity"]


def test_every_mounted_file_and_volume_exists() -> None:
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_every_copied_path_exists() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copies = [shlex.split(line)[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]
    assert all((ROOT / source).exists() for sources in copies for source in sources)


def test_the_image_and_the_makefile_install_the_same_torch() -> None:
    versions = {
        name: set(re.findall(r"torch==([\d.]+)", (ROOT / name).read_text()))
        for name in ("Dockerfile", "Makefile", "pyproject.toml")
    }
    assert len(set.union(*versions.values())) == 1
    assert all(versions.values())


def test_the_database_logs_no_values() -> None:
    from rootstock.embedded.postgres import DISCREET

    assert {f"{key}={value}" for key, value in DISCREET.items()} <= set(SERVICES["postgres"]["command"])
