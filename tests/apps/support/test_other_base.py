"""A worker that serves another base than the one that the shipped emotion adapter was made for."""

import time
from pathlib import Path
from typing import Any

import pytest

from apps.support.handlers import EmotionHandler
from models_zoo.llm.card import adapter_reference
from rootstock.errors import Unavailable
from rootstock.ids import uuid7
from tests.models_zoo.llm.tiny import make_base
from workers.engine.local import LocalEngine
from workers.handlers import LaneRequest

pytestmark = pytest.mark.slow  # a process with an engine


class Worker:
    """What of a worker's runtime the handler asks for."""

    def __init__(self, engine: LocalEngine) -> None:
        self.engine = engine

    def shipped_adapter(self, name: str, folder: Path) -> str:
        reference = adapter_reference(name, folder)
        self.engine.load(reference, folder)
        return reference


def test_it_serves_the_rest_and_says_why_emotions_are_not_read(tmp_path: Path, settings: Any) -> None:
    settings.MODELS_DIR, settings.BASE_MODEL = tmp_path, "tiny"
    engine = LocalEngine(make_base(tmp_path / "tiny").folder, slots=4, sequences=2, kv_bytes=1 << 22)
    try:
        handler = EmotionHandler()
        handler.load(Worker(engine))  # type: ignore[arg-type]
        [answer] = handler.run([LaneRequest("a", uuid7(), {"text": "thank you"}, time.time() + 60)])
    finally:
        engine.close()
    assert isinstance(answer, Unavailable)
    assert "another base" in answer.detail
