"""Decode steps recorded once and replayed: a step has some 400 launches, a replay has one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models_zoo.llm.cuda.pack import Extent

Launch = Callable[[torch.cuda.Stream | None], Tensor]


@dataclass(slots=True, frozen=True)
class GraphKey:
    """What a recording depends on besides the contents of its inputs: sizes, addresses and layouts. `cache` is
    (address, block size), `pool` (address, rank); None without one."""

    extent: Extent
    inputs: int
    cache: tuple[int, int] | None
    pool: tuple[int, int] | None


class Graphs:
    """Recordings of one decoder, sharing their memory: the result of a replay lasts until the next."""

    def __init__(self, device: torch.device, priority: int) -> None:
        self._main, self._side = (
            torch.cuda.Stream(device, priority=priority)  # type: ignore[no-untyped-call]
            for _ in range(2)
        )
        self._memory = torch.cuda.graph_pool_handle()
        self._recorded: dict[GraphKey, tuple[torch.cuda.CUDAGraph, Tensor]] = {}

    def run(self, key: GraphKey, launch: Launch) -> Tensor:
        """What `launch` gives, recorded under `key` the first time. Kernels keep the priority of the stream
        that they were recorded on."""
        if key not in self._recorded:
            self._forget_others(key)
            self._recorded[key] = self._record(launch)
        graph, result = self._recorded[key]
        graph.replay()
        return result

    def _record(self, launch: Launch) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        self._main.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._main):
            launch(None)  # compiles what is not compiled yet
        torch.cuda.current_stream().wait_stream(self._main)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._memory, stream=self._main, capture_error_mode="thread_local"):
            result = launch(self._side)
        return graph, result

    def _forget_others(self, key: GraphKey) -> None:
        """Recordings that read inputs or adapters where they no longer are."""
        stale = [
            old
            for old in self._recorded
            if old.inputs != key.inputs or (old.pool and key.pool and old.pool != key.pool)
        ]
        for old in stale:
            del self._recorded[old]
