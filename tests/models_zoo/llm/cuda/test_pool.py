"""The stacked pool says the same of an adapter as the pool that keeps each on its own."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from models_zoo.llm.adapter_files import target_shape
from models_zoo.llm.adapter_memory import PARTS, pinned_bytes
from models_zoo.llm.cuda.policy import PoolForm
from models_zoo.llm.cuda.pool import StackedPool, layer_runs
from models_zoo.llm.lora import LoraPool, LoraWeights, part_columns
from tests.models_zoo.llm.tiny import CONFIG

CPU = torch.device("cpu")


def weights(rank: int, *targets: str) -> LoraWeights:
    matrices = {}
    for layer in range(CONFIG.layers):
        for target in targets:
            out, columns = target_shape(CONFIG, target)
            matrices[layer, target] = (torch.randn(rank, columns), torch.randn(out, rank))
    return LoraWeights(rank, matrices)


def deltas(pool: LoraPool, slot: int, name: str, columns: int) -> torch.Tensor:
    class Zero:
        rows, columns = sum(target_shape(CONFIG, part)[0] for part in ("q_proj", "k_proj", "v_proj")), 128

        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(x), self.rows)

        def dense(self) -> torch.Tensor:
            return torch.zeros(self.rows, self.columns)

    x = torch.randn(5, columns, generator=torch.Generator().manual_seed(0))
    return pool.project([slot] * 5)(1, name, Zero(), x)


@pytest.mark.parametrize("form", ["int8", "bfloat16"])
def test_adapters_keep_their_place_when_the_stack_widens(form: PoolForm) -> None:
    stacked, plain = StackedPool(CONFIG, CPU, 3, form), LoraPool(CONFIG, CPU, torch.bfloat16)
    adapters = [
        weights(8, "q_proj", "v_proj"),
        weights(16, "q_proj", "k_proj", "v_proj"),
        weights(40, "k_proj"),
    ]
    before = []
    for slot, adapter in enumerate(adapters, start=1):
        for pool in (stacked, plain):
            pool.place(slot, pool.prepare(adapter))
        before.append(stacked.layout)
    assert stacked.rank == 64
    assert before[1] != before[2]  # recordings must not outlive it
    for slot in (1, 2, 3):
        expected = deltas(plain, slot, "qkv", 128)
        assert expected.abs().sum() > 0
        assert (deltas(stacked, slot, "qkv", 128) - expected).norm() < 0.03 * expected.norm()


def test_a_stack_that_cannot_widen_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = StackedPool(CONFIG, CPU, 3)
    small, large = pool.prepare(weights(16, "q_proj", "v_proj")), pool.prepare(weights(64, "q_proj"))
    pool.place(1, small)
    before, said = pool.layout, deltas(pool, 1, "qkv", 128)

    def exhausted(*_: object, **__: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as scarce:
        scarce.setattr(torch, "zeros", exhausted)
        with pytest.raises(torch.OutOfMemoryError):
            pool.place(2, large)
    assert pool.layout == before
    pool.place(3, small)
    pool.place(2, large)
    for slot in (1, 3):
        assert torch.equal(deltas(pool, slot, "qkv", 128), said)
    assert pool.rank == 64


@pytest.mark.parametrize("form", ["int8", "bfloat16"])
def test_a_narrow_adapter_lies_in_the_first_ranks_of_a_wide_row(form: PoolForm) -> None:
    """Whatever layers and linears it has, and whatever was there before."""
    pool, some = StackedPool(CONFIG, CPU, 1, form), weights(16, "q_proj", "v_proj", "o_proj", "down_proj")
    pool.place(1, pool.prepare(weights(64, "k_proj", "o_proj", "up_proj", "down_proj")))
    for left_out in ([], [(1, "o_proj")], [(1, target) for _, target in some.matrices]):
        kept = {key: pair for key, pair in some.matrices.items() if key not in left_out}
        narrow = pool.prepare(LoraWeights(16, kept))
        pool.place(1, narrow)
        for key in pool.keys:
            parts, placed = len(PARTS[key[1]]), pool.adapter(1)
            views = [
                (placed.shrink[key][0].t().view(parts, 64, -1), narrow.shrink, lambda a: a[0].t()),
                (placed.scale[key].view(parts, 64, -1), narrow.scale, lambda scale: scale),
                (placed.expand[key], narrow.expand, lambda b: b[0]),
            ]
            for wide, source, plain in views:
                assert not wide[:, 16:].any()
                own = wide[:, :16]
                if key in source:
                    assert torch.equal(own, plain(source[key]).reshape(own.shape))
                    assert own.any()
                else:
                    assert not own.any()


class FromHost(TorchDispatchMode):
    """Counts the copies from the host to another device."""

    count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in (torch.ops.aten._to_copy, torch.ops.aten.copy_):
            self.count += args[-1].device.type == "cpu" != result.device.type
        return result


@pytest.mark.parametrize("form", ["int8", "bfloat16"])
def test_every_adapter_comes_in_one_copy(form: PoolForm) -> None:
    """Whatever its rank and its linears: the engine's thread waits for none of it."""
    pool = StackedPool(CONFIG, torch.device("meta"), 3, form)
    pool.place(1, pool.prepare(weights(64, "q_proj")))
    for adapter in (
        weights(16, "q_proj", "down_proj"),
        weights(64, "o_proj", "up_proj"),
        weights(8, "q_proj"),
    ):
        prepared = pool.prepare(adapter)
        with FromHost() as copies:
            pool.place(2, prepared)
        assert copies.count == 1


def test_codes_are_near_what_they_stand_for() -> None:
    pool, adapter = StackedPool(CONFIG, CPU, 1, "int8"), weights(5, "k_proj", "v_proj", "down_proj")
    coded = pool.prepare(adapter)
    assert coded.data.nbytes < 0.6 * StackedPool(CONFIG, CPU, 1, "bfloat16").prepare(adapter).data.nbytes
    for (layer, name), scale in coded.scale.items():
        shrink, expand = coded.shrink[layer, name][0].float() * scale, coded.expand[layer, name][0].float()
        for index, (part, columns) in enumerate(part_columns(CONFIG, name)):
            own = shrink[:, index * coded.rank : (index + 1) * coded.rank] @ expand[:, columns]
            if (layer, part) not in adapter.matrices:
                assert not own.any()
                continue
            a, b = adapter.matrices[layer, part]
            assert (own - (b @ a).t()).norm() < 0.02 * (b @ a).norm()


def test_a_slot_that_is_not_is_refused() -> None:
    pool = StackedPool(CONFIG, CPU, slots=2)
    with pytest.raises(ValueError, match="slot is 3, expected 1 to 2"):
        pool.place(3, pool.prepare(weights(8, "q_proj")))


def test_layers_of_the_same_linears_are_copied_together() -> None:
    layers = {0: ["qkv", "down"], 1: ["qkv", "down"], 2: ["down"], 4: ["down"], 5: ["down"]}
    keys = [(layer, name) for layer, names in layers.items() for name in names]
    assert layer_runs(keys) == [(range(2), layers[0]), (range(2, 3), ["down"]), (range(4, 6), ["down"])]


def test_pinned_memory_is_counted_as_torch_gives_it() -> None:
    sizes = {0: 0, 1: 1, 64: 64, 65: 128, 42_000_000: 1 << 26, (1 << 26) + 1: 1 << 27}
    assert [pinned_bytes(size) for size in sizes] == list(sizes.values())
    adapter = StackedPool(CONFIG, CPU, 1).prepare(weights(16, "q_proj"))
    assert adapter.bytes == adapter.data.nbytes  # pageable


@pytest.mark.gpu
def test_what_is_placed_beside_other_work_is_there_once_it_arrived() -> None:
    cuda = torch.device("cuda")
    pool, plain = StackedPool(CONFIG, cuda, slots=3), StackedPool(CONFIG, cuda, slots=3)
    prepared = [pool.prepare(weights(rank, "q_proj", "down_proj")) for rank in (16, 16, 40)]
    assert all(one.bytes == pinned_bytes(one.data.nbytes) for one in prepared)
    pool.place(1, prepared[0])
    torch.cuda._sleep(20_000_000)  # launched before: it may still read the slots
    pool.place(2, prepared[1], beside=True)
    pool.place(1, prepared[1], beside=True)
    assert pool.settle()
    assert not pool.settle()
    assert pool.arrived(1)
    pool.place(3, prepared[2], beside=True)  # widens the stack under what was placed
    while not pool.arrived(3):
        pass
    torch.cuda._sleep(20_000_000)
    pool.place(2, prepared[0], beside=True)  # of a lower rank than the stack's by now
    assert pool.settle()
    for slot, adapter in ((1, prepared[1]), (3, prepared[2]), (2, prepared[0])):
        plain.place(slot, adapter)
    for slot in (1, 2, 3):
        assert torch.equal(pool.adapter(slot).data, plain.adapter(slot).data)
