"""What the runtime asks of its engine, from several threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from django.core.exceptions import ImproperlyConfigured

from rootstock.errors import InvalidInput
from rootstock.registry.services import adapter_register
from rootstock.registry.versions import version_retire
from tests.fixtures.adapters import adapter_in
from workers.runtime import Runtime, _device


class Loading:
    """As much of an engine as the runtime needs to load adapters; "new" is read while `gate` is closed."""

    def __init__(self) -> None:
        self.gate, self.reading = threading.Event(), threading.Event()
        self.at_once, self.most = 0, 0

    def load(self, adapter: str, folder: Path) -> None:
        if adapter == "new":
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            self.reading.set()
            assert self.gate.wait(10)
            self.at_once -= 1


@pytest.fixture
def loading() -> tuple[Any, Loading]:
    runtime: Any = Runtime("test-loading", ["score"])
    runtime._engine = Loading()
    return runtime, runtime._engine


def test_a_request_for_one_adapter_does_not_wait_for_another_to_be_read(loading: tuple[Any, Loading]) -> None:
    runtime, engine = loading
    with ThreadPoolExecutor(3) as pool:
        first = [pool.submit(runtime._ensure_loaded, "new", Path()) for _ in range(2)]
        assert engine.reading.wait(5)
        try:
            assert pool.submit(runtime._ensure_loaded, "resident", Path()).result(5) == "resident"
        finally:
            engine.gate.set()
        assert [one.result(5) for one in first] == ["new", "new"]
    assert engine.most == 1  # the second waited for the first
    assert not runtime._loading  # nothing is kept of adapters that are there


def test_what_is_retired_is_not_read_for_a_request(
    world: Any, base: Path, tmp_path: Path, loading: tuple[Any, Loading]
) -> None:
    made = adapter_register(organisation=world.organisation, folder=adapter_in(tmp_path / "a"), job_id=None)
    assert loading[0].adapter(world.organisation.pk, made.digest) == made.digest
    version_retire(organisation=world.organisation, reference=made.reference, reason="old")
    with pytest.raises(InvalidInput, match=r"^adapter: .* is retired$"):
        loading[0].adapter(world.organisation.pk, made.digest)


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "cuda:x", "gpu", "meta", ""])
def test_a_device_that_is_not_here_is_refused_by_the_settings_name(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name.startswith("cuda") and torch.cuda.is_available():
        pytest.skip("there is one")
    monkeypatch.setenv("ROOTSTOCK_DEVICE", name)
    with pytest.raises(ImproperlyConfigured, match=f"^ROOTSTOCK_DEVICE: device is '{name}'"):
        _device()


def test_a_worker_serves_on_its_processor_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROOTSTOCK_DEVICE", raising=False)
    assert _device() == "cpu"
