"""What is no number is told as such, whatever the adapter is for."""

import json
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from safetensors.torch import load_file, save_file

from models_zoo.llm.card import adapter_digest
from rootstock.errors import InvalidInput
from rootstock.registry.contents import folder_store, upload_keys
from tests.workers.engine.conftest import Desk, both_paths
from workers.engine.protocol import NotFinite
from workers.handlers import LaneRequest
from workers.probing import ProbeHandler

WEIGHTS = "adapter_model.safetensors"


def overflowing(folder: Path, target: Path) -> Path:
    """The adapter with factors that are as large as an intake takes them: each is finite, what they make is not."""
    copied = Path(shutil.copytree(folder, target))
    config = json.loads((copied / "adapter_config.json").read_text()) | {"lora_alpha": 8}
    (copied / "adapter_config.json").write_text(json.dumps(config))
    tensors = {name: tensor.sign() * 60_000 for name, tensor in load_file(copied / WEIGHTS).items()}
    save_file(tensors, copied / WEIGHTS)
    return copied


@both_paths
def test_overflowing_adapters_do_not_answer(desk: Desk, tmp_path: Path) -> None:
    engine = desk.engine
    for name, read in (("one", engine.embed), ("class", engine.classify), ("tags", engine.tag)):
        engine.load(name, desk.folders[name])
        assert read(["All is well."], name)
        engine.load(f"huge-{name}", overflowing(desk.folders[name], tmp_path / name))
        with pytest.raises(NotFinite, match="overflow"):
            read(["All is well."], f"huge-{name}")
    assert engine.embed(["All is well."])


@pytest.mark.parametrize("name", ["one", "class", "tags"])
def test_the_intake_refuses_them(desk: Desk, tmp_path: Path, settings: Any, name: str) -> None:
    settings.ADAPTERS_DIR = tmp_path / "adapters"
    options = {"location": tmp_path / "files"}
    kind = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": kind, "OPTIONS": options}}
    handler, organisation = ProbeHandler(), uuid4()
    handler.load(SimpleNamespace(engine=desk.engine))  # type: ignore[arg-type]
    requests = []
    for folder in (desk.folders[name], overflowing(desk.folders[name], tmp_path / name)):
        upload = uuid4()
        folder_store(upload_keys(organisation, upload), folder)
        payload = {"upload": str(upload), "digest": adapter_digest(folder)}
        requests.append(LaneRequest(str(upload), organisation, payload, time.time() + 60))
    good, refused = handler.run(requests)
    assert isinstance(good, dict)
    assert isinstance(refused, InvalidInput)
    assert "overflow" in refused.detail
