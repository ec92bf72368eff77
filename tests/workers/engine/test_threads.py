"""Threads that compute on one core, and those that come after them."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from workers.engine.threads import compute_alone

READERS = 4


def in_a_new_thread(function: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result(5)


@pytest.fixture
def three_cores() -> Iterator[None]:
    before = in_a_new_thread(torch.get_num_threads)
    in_a_new_thread(lambda: torch.set_num_threads(3))
    yield
    in_a_new_thread(lambda: torch.set_num_threads(before))


@pytest.mark.usefixtures("three_cores")
def test_readers_take_one_core_each_and_threads_made_later_as_many_as_before() -> None:
    together = threading.Barrier(READERS)

    def cores() -> int:
        together.wait(5)
        return torch.get_num_threads()

    with ThreadPoolExecutor(READERS, initializer=compute_alone) as pool:
        found = [pool.submit(cores) for _ in range(READERS)]
        assert [one.result(5) for one in found] == [1] * READERS
    assert in_a_new_thread(torch.get_num_threads) == 3
