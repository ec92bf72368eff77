"""The small client, over a real Valkey and against what a network does."""

import socket
import threading

import pytest
import redis
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from rootstock.resp import Line, Lines


@pytest.fixture
def line(services):
    """A line to the tests' Valkey."""
    opened = Line(settings.REDIS_URL, 5.0, 5.0)
    yield opened
    opened.close()


@pytest.fixture
def server():
    """Answers each connection with the next of the given replies, then closes it."""
    listener = socket.create_server(("127.0.0.1", 0))
    replies: list[list[bytes]] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                for part in replies.pop(0) if replies else []:
                    connection.recv(65536)
                    connection.sendall(part)

    threading.Thread(target=serve, daemon=True).start()
    yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0", replies
    listener.close()


def test_it_works(line) -> None:
    line.ask(["DEL", "t:resp"])
    assert line.ask(
        ["RPUSH", "t:resp", b"a", "ü", 3, 1.5], ["LRANGE", "t:resp", 0, -1], ["GET", "t:none"]
    ) == [
        4,
        [b"a", "ü".encode(), b"3", b"1.5"],
        None,
    ]
    assert line.ask(["BLPOP", "t:none", 0.01]) == [None]


def test_what_needs_no_answer_is_done_first_and_says_nothing(line) -> None:
    wrong = ["LPUSH", "resp:silent", "x"]  # of a string: an error that nobody is told
    assert line.ask(["GET", "resp:silent"], unanswered=[["SET", "resp:silent", "a"], wrong]) == [b"a"]
    assert line.ask(["DEL", "resp:silent"], ["PING"]) == [1, b"PONG"]


def test_an_error_is_raised_after_all_replies_are_read(line) -> None:
    with pytest.raises(redis.ResponseError):
        line.ask(["SET", "t:resp", 1], ["LLEN", "t:resp"], ["PING"])
    assert line.ask(["PING"]) == [b"PONG"]


@given(value=st.binary(max_size=200_000) | st.text(max_size=50).map(lambda text: text.encode()))
def test_any_bytes_survive(services, value) -> None:
    opened = Line(settings.REDIS_URL, 5.0, 5.0)
    assert opened.ask(["SET", "t:any", value], ["GET", "t:any"])[1] == value
    opened.close()


def test_every_thread_has_its_own(services) -> None:
    lines, ids = Lines(settings.REDIS_URL, timeout_s=5.0), set()
    threads = [threading.Thread(target=lambda: ids.add(lines.ask(["CLIENT", "ID"])[0])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 3


def test_a_lost_connection_is_opened_again(server) -> None:
    url, replies = server
    replies += [[b"+one\r\n"], [b"+two\r\n"]]
    line = Line(url, 2.0, 2.0)
    assert line.ask(["PING"]) == [b"one"]
    assert line.ask(["PING"]) == [b"two"]


def test_a_server_that_hangs_up_at_once_is_an_error(server) -> None:
    url, _ = server
    with pytest.raises(redis.ConnectionError):
        Line(url, 2.0, 2.0).ask(["PING"])


def test_a_server_that_hangs_is_a_timeout_and_not_asked_again(server) -> None:
    url, replies = server
    replies += [[b"+one\r\n", b"$100\r\nonly part"]]
    line = Line(url, 0.3, 2.0)
    line.ask(["PING"])
    hang = socket.create_server(("127.0.0.1", 0))
    waiting = Line(f"redis://127.0.0.1:{hang.getsockname()[1]}", 0.2, 2.0)
    with pytest.raises(redis.TimeoutError):
        waiting.ask(["PING"])
    hang.close()


def test_nobody_there(tmp_path) -> None:
    with pytest.raises(redis.ConnectionError):
        Line(f"unix://{tmp_path}/no.sock", 1.0, 1.0).ask(["PING"])


def test_password_and_database_are_given_first(server) -> None:
    url, replies = server
    replies += [[b"+OK\r\n+OK\r\n", b"+PONG\r\n"]]
    line = Line(url.replace("redis://", "redis://user:secret@").replace("/0", "/3"), 2.0, 2.0)
    assert line.ask(["PING"]) == [b"PONG"]
