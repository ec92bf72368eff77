"""What the demo prints where nobody sits at a terminal."""

import pytest

from rootstock.demo import Row, Show


@pytest.fixture
def piped(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    return Show()


def test_the_table_keeps_its_words_whole(piped, capsys) -> None:
    what, outcome = "customer turns with emotion read", "calm, upset, relieved: told apart"
    piped.table([Row(what, 1_000, 12.5, 9_999.9, outcome)])
    printed = capsys.readouterr().out
    [line] = [line for line in printed.splitlines() if what in line]
    assert outcome in line
    assert max(map(len, printed.splitlines())) <= 120


def test_the_same_progress_is_printed_once(piped, capsys) -> None:
    for _ in range(3):
        piped.progress(10, 10, "scored")
    piped.progress(11, 11, "scored")
    assert capsys.readouterr().out.splitlines() == ["  scored 10 of 10", "  scored 11 of 11"]
