"""An adapter that somebody brings, through the running site: checked, registered, served; or refused, and gone."""

import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from rootstock.accounts.tenancy import tenant
from rootstock.files.models import StoredFile
from tests.fixtures.adapters import adapter_in, peft_files, zipped
from tests.fixtures.memory import MB, growth
from tests.models_zoo.llm.hostile import ARCHIVES, FOLDERS, packed

pytestmark = pytest.mark.slow


@pytest.fixture
def api(demo_client: Any) -> Any:
    return demo_client("adapters:read", "adapters:write", "models:use", "jobs:read", "files:read")


def checked(api: Any, files: list[tuple[str, tuple[str, bytes]]], name: str = "brought") -> dict[str, Any]:
    """Upload, and wait for the end of the checks."""
    return ended(api, api.ask("POST", "/adapters/uploads", expect=202, data={"name": name}, files=files))


def ended(api: Any, upload: dict[str, Any]) -> dict[str, Any]:
    """The upload once its checks have ended."""
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
    storage = Path(settings.VAR_DIR) / "files"
    folders = [storage / kind / str(world.organisation.pk) for kind in ("adapters", "intake")]
    stored = [str(path.relative_to(at)) for at in folders for path in at.rglob("*") if path.is_file()]
    return rows + stored + [str(path) for path in Path(settings.ADAPTERS_DIR).glob(".*-*")]


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


# What the scanners of files say before the checks of adapters see it.
SCANNED = {
    "zip slip": "scan: mine.zip: an entry would land outside of its folder ('../evil.json')",
    "absolute path": "scan: mine.zip: an entry would land outside of its folder ('/etc/passwd')",
    "symlink": "scan: mine.zip: holds a link or a device ('card.json')",
    "name twice": "scan: mine.zip: holds two entries of one name ('adapter_config.json')",
    "bomb": "scan: mine.zip: unpacks to more than 200 times its size ('adapter_model.safetensors')",
    "false size": "scan: mine.zip: is not a well-formed ZIP archive, or uses a method that is not taken "
    "('adapter_config.json')",
    "header of 100 MB, zipped": "scan: mine.zip: unpacks to more than 200 times its size ('adapter_model",
    "header of 100 MB": "scan: adapter_model.safetensors: the safetensors header is 100,000,000 bytes, expected",
    "100,000 tensors": "scan: adapter_model.safetensors: holds 100,000 tensors, expected 1 to 20,000",
    "10,000 tensors": "scan: adapter_model.safetensors: tensor 't0' has 0 bytes that do not fit its shape, exp",
    "overlapping offsets": "q_proj.lora_B.weight' overlaps the one before it: starts at 0, expected ",
    "tensor named twice": "scan: adapter_model.safetensors: the safetensors header names 'base_model.",
    "170,000 names": "scan: adapter_model.safetensors: the safetensors header names 'a297ff' twice",
    "NUL in a card": "scan: card.json: description: holds a NUL character",
    "truncated": "bytes of tensors, longer or shorter than the expected ",
    "renamed pickle": "scan: adapter_model.safetensors: its content is of an unknown type, which is not taken; "
    "its name says application/x-safetensors",
}


def refused(api: Any, world: Any, files: list[tuple[str, tuple[str, bytes]]]) -> str:
    """The reason for which it was refused, after which nothing is left; no process comes to hold much more."""
    with growth() as found:
        told = checked(api, files)
    assert told["state"] == "refused", told
    assert left_behind(world) == []
    assert max(found.values()) < 512 * MB, found
    return str(told["reason"])


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "what",
    ["zip slip", "absolute path", "symlink", "pickle", "name twice", "bomb", "false size", "many entries"],
)
def test_a_hostile_archive_is_refused_by_name(
    api: Any, committed_world: Any, tmp_path: Path, what: str
) -> None:
    pack, words = ARCHIVES[what]
    pack(adapter_in(tmp_path / "adapter"), tmp_path / "a.zip")
    reason = refused(api, committed_world, [("files", ("mine.zip", (tmp_path / "a.zip").read_bytes()))])
    assert SCANNED.get(what, words) in reason


HOSTILE_FOLDERS = (
    "renamed pickle", "header of 100 MB", "100,000 tensors", "10,000 tensors", "overlapping offsets",
    "tensor named twice", "170,000 names", "NUL in a card", "truncated",
    "rank 4096", "regex targets", "modules to save", "wrong base", "empty delta",
)  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE_FOLDERS)
def test_a_hostile_folder_is_refused_by_name(
    api: Any, committed_world: Any, tmp_path: Path, what: str
) -> None:
    """As the files that it is of, and as a zip of them."""
    change, check, words = FOLDERS[what]
    folder = adapter_in(tmp_path / "adapter")
    change(folder)
    packed(folder, tmp_path / "a.zip")
    one_by_one = [("files", (path.name, path.read_bytes())) for path in folder.iterdir()]
    reason = refused(api, committed_world, one_by_one)
    assert SCANNED.get(what, f"{check}: ") in reason
    assert what in SCANNED or words in reason
    reason = refused(api, committed_world, [("files", ("mine.zip", (tmp_path / "a.zip").read_bytes()))])
    assert SCANNED.get(f"{what}, zipped", words) in reason


def test_a_hostile_file_in_pieces_is_refused_by_name(
    api: Any, demo_client: Any, committed_world: Any, tmp_path: Path
) -> None:
    """The same quarantine, scanners and checks at the end of the other way in."""
    folder = adapter_in(tmp_path / "adapter")
    FOLDERS["header of 100 MB"][0](folder)
    writer = demo_client("files:write", "adapters:write", "adapters:read")
    sent = {path.name: in_pieces(writer, path) for path in folder.iterdir()}
    with growth() as found:
        body = {"name": "brought", "file_ids": list(sent.values())}
        upload = writer.ask("POST", "/adapters/uploads/from-files", expect=202, json=body)
        told = ended(api, upload)
    assert SCANNED["header of 100 MB"] in told["reason"]
    assert left_behind(committed_world) == []
    assert list(Path(settings.FILE_INCOMING_DIR).glob(f"{committed_world.organisation.pk}.*")) == []
    assert max(found.values()) < 512 * MB, found


def in_pieces(api: Any, path: Path) -> str:
    """Send a file in three pieces; the id of the file that it became."""
    words = {"purpose": "model", "filename": path.name}
    told = ",".join(f"{name} {b64encode(word.encode()).decode()}" for name, word in words.items())
    content, spoken = path.read_bytes(), {"Tus-Resumable": "1.0.0"}
    begun = {"Upload-Length": str(len(content)), "Upload-Metadata": told}
    at = api.post("/api/v1/files/uploads", headers=spoken | begun).headers["Location"]
    step = -(-len(content) // 3)
    for offset in range(0, len(content), step):
        headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        answer = api.patch(at, headers=spoken | headers, content=content[offset : offset + step])
        assert answer.status_code == 204, answer.text
    return str(answer.headers["X-Rootstock-File"])
