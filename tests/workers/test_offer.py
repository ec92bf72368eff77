"""A worker's offer of its base, and what becomes of those who took it."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from tests.models_zoo.llm.tiny import make_base
from workers import offer as offer_module
from workers.offer import Offer, offers_in
from workers.trainer.base import BASE_LOST, Base

pytestmark = pytest.mark.slow  # real processes

TRAINER = """
import sys, time
from pathlib import Path
from workers.offer import offers_in
from workers.trainer.base import Lifeline
((description, connection),) = offers_in(Path(sys.argv[1]))
lifeline = Lifeline(connection)
if sys.argv[2:] == ["release"]:
    lifeline.release()
print("ready", flush=True)
time.sleep(60 if sys.argv[2:] != ["release"] else 0.5)
"""


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has said that it is ready."""
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline() == "ready\n"
            yield started
        finally:
            started.kill()


def worker(folder: Path) -> AbstractContextManager[subprocess.Popen[str]]:
    return process("-m", "tests.workers.offering", str(folder))


def test_it_works(tmp_path: Path) -> None:
    folder = tmp_path / ("a path longer than a socket's may be " * 4) / "run"
    offer = Offer(folder, {"x": 1})
    assert folder.stat().st_mode & 0o777 == 0o700
    ((description, connection),) = offers_in(folder)
    assert description == {"x": 1}
    connection.settimeout(0.1)
    with pytest.raises(TimeoutError):
        connection.recv(1)
    offer.close()
    connection.settimeout(5)
    assert connection.recv(1) == b""
    assert not list(folder.iterdir())
    connection.close()


def test_the_newest_comes_first_and_a_killed_one_not_at_all(tmp_path: Path) -> None:
    with worker(tmp_path / "run"):
        pass
    (left,) = (tmp_path / "run").iterdir()
    assert list(offers_in(tmp_path / "run")) == []
    first = Offer(tmp_path / "run", {"n": 1})
    assert not left.exists()
    time.sleep(0.02)
    second = Offer(tmp_path / "run", {"n": 2})
    found = list(offers_in(tmp_path / "run"))
    assert [description["n"] for description, _ in found] == [2, 1]
    for _, connection in found:
        connection.close()
    first.close()
    second.close()


def test_a_trainer_ends_with_its_worker(tmp_path: Path) -> None:
    with worker(tmp_path / "run") as serving, process("-c", TRAINER, str(tmp_path / "run")) as training:
        serving.kill()
        assert training.wait(timeout=2) == BASE_LOST


def test_a_trainer_that_does_not_use_it_outlives_it(tmp_path: Path) -> None:
    with worker(tmp_path / "run"), process("-c", TRAINER, str(tmp_path / "run"), "release") as training:
        assert training.wait(timeout=5) == 0


def test_the_worker_does_not_mind_a_trainer_that_ends(tmp_path: Path) -> None:
    offer = Offer(tmp_path / "run", {"x": 1})
    with process("-c", TRAINER, str(tmp_path / "run")) as training:
        training.kill()
    ((description, connection),) = offers_in(tmp_path / "run")
    assert description == {"x": 1}
    connection.close()
    offer.close()


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(PermissionError, match="this user alone"):
        Offer(tmp_path, {})
    with pytest.raises(PermissionError, match="this user alone"):
        list(offers_in(tmp_path))
    assert list(offers_in(tmp_path / "none")) == []


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (
            None,
            "the folder of workers' offers cannot be used (expected a folder of this user alone (mode 0700))",
        ),
        (ValueError("no base64"), "that of the worker cannot be used (no base64)"),
        (
            OSError(24, "Too many open files", "/srv/run"),
            "that of the worker cannot be used (Too many open files)",
        ),
    ],
)
def test_an_offer_that_cannot_be_taken_means_a_copy_of_its_own(
    tmp_path: Path, broken: Exception | None, why: str
) -> None:
    class Trying(Base):
        """Its CUDA says `broken`."""

        def _taken(self, *arguments: object) -> NoReturn:
            assert broken is not None
            raise broken

    folder, told = tmp_path / "run", list[tuple[bool, str]]()
    offer = Offer(folder, {})
    if broken is None:
        folder.chmod(0o755)
    base = make_base(tmp_path / "base")
    decoder = Trying(folder, 0.0, lambda shared, text: told.append((shared, text)))(base.folder, "cpu")
    assert decoder.card.fingerprint == base.card.fingerprint
    assert told == [(False, f"Trains on a copy of its own of the base: {why}.")]
    offer.close()


@pytest.mark.parametrize("said", [b"", b"[1]\n", b"{\n"])
def test_who_says_nothing_sensible_is_passed_over(
    tmp_path: Path, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offer_module, "ANSWER_S", 0.2)
    tmp_path.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("odd.sock")
        listener.listen()
        if said:
            threading.Thread(target=lambda: listener.accept()[0].sendall(said), daemon=True).start()
        assert list(offers_in(tmp_path)) == []


def test_without_an_offer_the_trainer_loads_its_own(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    told: list[tuple[bool, str]] = []
    decoder = Base(tmp_path / "run", 0.0, lambda *said: told.append(said))(base.folder, "cpu")
    assert decoder.card == base.card
    ((shared, text),) = told
    assert not shared
    assert "no worker offered one" in text
    told.clear()
    Base(None, 0.0, lambda *said: told.append(said))(base.folder, "cpu")
    assert told == []
