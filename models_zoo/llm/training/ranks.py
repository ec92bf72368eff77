"""Several processes that train one thing, each on a device of its own, as torchrun starts them.

Each computes its rows of every batch; the mean of their gradients is that of the whole batch, so that all take the step
that one process would have taken. Adapters are on every device, kept alike by DDP (Li et al., 2020); a whole model is
cut up among them by FSDP2's `fully_shard` (Zhao et al., 2023).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from models_zoo.llm.card import ModelError
from models_zoo.llm.training.data import Example
from models_zoo.llm.training.roles import Task

Losses = Callable[[Sequence[Example], bool], Tensor]  # of a batch; whether the step follows


class Ranks:
    """This process among `count`; of one alone nothing here costs anything."""

    def __init__(self, number: int = 0, count: int = 1) -> None:
        self.number, self.count = number, count

    @property
    def writes(self) -> bool:
        """Whether this is the one that tells and writes."""
        return self.number == 0

    def device(self, name: str) -> str:
        """This process's device of that kind."""
        return f"cuda:{os.environ['LOCAL_RANK']}" if name == "cuda" and self.count > 1 else name

    def losses(self, task: Task) -> Losses:
        """Weighted such that the mean over all processes is the whole batch's mean."""

        def loss(batch: Sequence[Example], last: bool) -> Tensor:
            if self.count == 1:
                return task.loss(batch)
            mine = batch[self.number :: self.count]
            if not mine:  # it still takes part in what all do together
                return task.loss(batch[:1]) * 0.0
            return task.loss(mine) * (self.count * task.terms(mine) / task.terms(batch))

        return loss

    def replicas(self, task: Task, parameters: Sequence[nn.Parameter], some_idle: bool) -> Losses:
        """The same, the parameters' gradients made one by DDP. some_idle: not every parameter learns in every step."""
        losses = self.losses(task)
        if self.count == 1:
            return losses
        module = nn.parallel.DistributedDataParallel(
            _Losses(losses, parameters), find_unused_parameters=some_idle
        )

        def loss(batch: Sequence[Example], last: bool) -> Tensor:
            with nullcontext() if last else module.no_sync():
                found: Tensor = module(batch, last)
            return found

        return loss

    def mean(self, value: Tensor) -> float:
        """Over all processes."""
        if self.count > 1:
            value = value.clone()
            dist.all_reduce(value)
            value /= self.count
        return float(value)

    def agreed(self, value: Any) -> Any:
        """What the first process says."""
        if self.count == 1:
            return value
        told = [value]
        dist.broadcast_object_list(told)
        return told[0]

    def randoms(self, state: Tensor) -> Tensor:
        """The states of all generators uint8 [count, n], from this process's, [n]; of one alone that."""
        if self.count == 1:
            return state
        states = [torch.empty_like(state) for _ in range(self.count)]
        dist.all_gather(states, state)
        return torch.stack(states)

    def random(self, states: Tensor) -> Tensor:
        """This process's of them."""
        return states if self.count == 1 else states[self.number].clone()

    def leave(self) -> None:
        """Everything is done together that was to be."""
        if self.count > 1:
            dist.barrier()
            dist.destroy_process_group()


class _Losses(nn.Module):
    """What DDP calls, with the parameters that it watches."""

    def __init__(self, losses: Losses, parameters: Sequence[nn.Parameter]) -> None:
        super().__init__()
        self.losses = losses
        self.watched = nn.ParameterList(parameters)

    def forward(self, batch: Sequence[Example], last: bool) -> Tensor:
        return self.losses(batch, last)


ALONE = Ranks()


def joined(processes: int, device: str) -> Ranks:
    """This process's place, once all have come. Raises `ModelError` unless torchrun started as many as are wanted."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count != processes:
        raise ModelError(f"spec: processes is {processes}, started are {count}: start it by torchrun")
    if count == 1:
        return ALONE
    if device.startswith("cuda"):
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo")
    return Ranks(dist.get_rank(), count)


# torch.distributed.tensor takes a second to import, which a process that trains alone does not spend.
def whole(tensor: Tensor, wanted: bool = True) -> Tensor:
    """A tensor in one piece on the CPU, wherever its pieces are; empty where it is not wanted. All must ask."""
    full = tensor
    if dist.is_initialized():
        from torch.distributed.tensor import DTensor

        full = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return full.detach().cpu() if wanted else torch.empty(0)


def as_laid(tensor: Tensor, like: Tensor) -> Tensor:
    """A tensor in one piece on the device of `like`, and cut up as that is."""
    there = tensor.to(like.device)
    if dist.is_initialized():
        from torch.distributed.tensor import DTensor, distribute_tensor

        if isinstance(like, DTensor):
            return distribute_tensor(there, like.device_mesh, like.placements, src_data_rank=None)
    return there
