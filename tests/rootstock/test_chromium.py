"""Which Chromium the browser tests get, and what they say without one."""

from pathlib import Path

import pytest

from tests import chromium


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any browser: an empty search path and an empty cache."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "cache"))
    monkeypatch.setattr(chromium, "REASON", tmp_path / "var" / "reason.txt")
    return tmp_path


def program(path: Path, status: int) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nexit {status}\n")
    path.chmod(0o755)
    return str(path)


def test_one_that_is_there_is_used(alone: Path) -> None:
    assert chromium.find() is None
    installed = program(alone / "chromium", 0)
    assert chromium.find() == installed


def test_one_that_does_not_start_is_passed_over_for_playwrights(alone: Path) -> None:
    program(alone / "chromium-browser", 1)
    downloaded = program(alone / "cache" / "chromium-1200" / "chrome-linux64" / "chrome", 0)
    assert chromium.find() == downloaded


def test_without_one_the_reasons_are_said_and_kept(
    alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(chromium, "_by_playwright", lambda: "playwright install chromium: no network")
    chromium.main()
    said = "no Chromium could be installed: no apt-get; playwright install chromium: no network"
    assert f"BROWSER TESTS WILL BE SKIPPED: {said}" in capsys.readouterr().out
    assert chromium.why_missing() == said


def test_the_next_best_way_is_tried(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download() -> str:
        program(alone / "cache" / "chromium-1" / "chrome-linux" / "chrome", 0)
        return ""

    monkeypatch.setattr(chromium, "_by_playwright", download)
    chromium.main()
    assert chromium.find() == str(alone / "cache" / "chromium-1" / "chrome-linux" / "chrome")
    assert not chromium.REASON.exists()
