"""The machine's own secret."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core.exceptions import ImproperlyConfigured

from rootstock.secret import local_secret


def test_it_works(tmp_path) -> None:
    path = tmp_path / "var" / "secret-key"
    value = local_secret(path)
    assert len(value) >= 48
    assert local_secret(path) == value
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["secret-key"]


def test_first_starts_that_race_agree(tmp_path) -> None:
    workers, rounds = 8, 40
    for number in range(rounds):
        gate = Barrier(workers)

        def start(_, gate=gate, path=tmp_path / str(number)) -> str:
            gate.wait()
            return local_secret(path)

        with ThreadPoolExecutor(workers) as pool:
            [value] = set(pool.map(start, range(workers)))
        assert value


def test_no_reader_sees_the_file_before_its_content(tmp_path, monkeypatch) -> None:
    path, real, seen = tmp_path / "secret-key", os.fdopen, []

    def watched(*args):
        seen.append(path.exists())
        return real(*args)

    monkeypatch.setattr(os, "fdopen", watched)
    assert local_secret(path)
    assert seen == [False]


def test_a_place_that_cannot_be_written_names_the_variable(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ImproperlyConfigured, match="ROOTSTOCK_VAR"):
        local_secret(tmp_path / "file" / "secret-key")
