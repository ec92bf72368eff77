"""An adapter that somebody brings, through the running site: checked, registered, served; or refused, and gone."""

import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from rootstock.accounts.tenancy import tenant
from rootstock.files.models import StoredFile
from tests.fixtures.adapters import peft_files, zipped

pytestmark = pytest.mark.slow


@pytest.fixture
def api(demo_client: Any) -> Any:
    return demo_client("adapters:read", "adapters:write", "models:use", "jobs:read", "files:read")


def checked(api: Any, files: list[tuple[str, tuple[str, bytes]]], name: str = "brought") -> dict[str, Any]:
    """Upload, and wait for the end of the checks."""
    upload = api.ask("POST", "/adapters/uploads", expect=202, data={"name": name}, files=files)
    until = time.monotonic() + 60
    while upload["state"] == "checking":
        assert time.monotonic() < until, upload
        time.sleep(0.1)
        upload = api.ask("GET", f"/adapters/uploads/{upload['id']}")
    return upload


def left_behind(world: Any) -> list[str]:
    """What of an organisation's uploads is in storage or beside the adapters."""
    with tenant(world.organisation):
        rows = [str(row.pk) for row in StoredFile.objects.all()]
    folder = Path(settings.VAR_DIR) / "files" / "adapters" / str(world.organisation.pk)
    stored = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    return rows + stored + [str(path) for path in Path(settings.ADAPTERS_DIR).glob(".intake-*")]


def test_a_good_one_is_served(api: Any, committed_world: Any, tmp_path: Path) -> None:
    content = zipped(peft_files(tmp_path))
    told = checked(api, [("files", ("mine.zip", content))])
    assert told["state"] == "taken", told
    assert [check["check"] for check in told["checks"]] == [
        "scan", "files", "tensors", "configuration", "fit", "values", "effect",
    ]  # fmt: skip
    adapter = api.ask("GET", f"/adapters/{told['version']}")
    assert (adapter["name"], adapter["origin"]) == ("brought", "uploaded")
    body = {"model": told["version"], "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    assert api.post("/v1/chat/completions", json=body).json()["model"] == told["version"]
    assert sorted(left_behind(committed_world)) == sorted(
        f"{adapter['digest']}/{name}" for name in ("card.json", *peft_files(tmp_path))
    )
    assert checked(api, [("files", ("again.zip", content))])["version"] == told["version"]
    assert checked(api, [("files", ("mine.zip", content))], "other")["version"].startswith("other@")


def test_two_files_do_as_well(api: Any, tmp_path: Path) -> None:
    files = peft_files(tmp_path, seed=2)
    assert checked(api, [("files", (name, content)) for name, content in files.items()])["state"] == "taken"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"target_modules": ".*"}, "configuration: adapter_config.json: target_modules is '.*'"),
        ({"r": 8}, "fit: adapter_model.safetensors: "),
        ({"size": 1e-6}, "effect: it changes what comes out by 0.0000"),
        ({"size": float("nan")}, "values: adapter_model.safetensors: "),
    ],
)
def test_a_bad_one_is_refused_and_gone(
    api: Any, committed_world: Any, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    told = checked(api, [("files", ("mine.zip", zipped(peft_files(tmp_path, **changes))))])
    assert told["state"] == "refused"
    assert told["reason"].startswith(reason)
    assert left_behind(committed_world) == []
