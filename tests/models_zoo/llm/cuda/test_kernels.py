"""Each kernel against its plain reference, on shapes that divide evenly and on those that do not."""

import pytest
import torch

triton = pytest.importorskip("triton")

from models_zoo.llm.card import BaseConfig  # noqa: E402
from models_zoo.llm.cuda.kernels import attention, eight, finish, int4, lora, rows  # noqa: E402
from models_zoo.llm.cuda.matrices import EightBitMatrix, Int4Matrix  # noqa: E402
from models_zoo.llm.cuda.pack import lora_tiles  # noqa: E402
from models_zoo.llm.cuda.tuning import narrow_tile, tile  # noqa: E402
from models_zoo.llm.decoder import rotary_table  # noqa: E402
from models_zoo.llm.paged import PagedCache  # noqa: E402
from models_zoo.llm.quant import Q4Matrix, Q8Matrix, per_row_int8  # noqa: E402

pytestmark = pytest.mark.gpu
SHAPES = [(6144, 4096), (960, 576), (576, 1536), (256, 128)]
ROWS = [1, 2, 4, 5, 16, 17, 64, 100]
NEAR = 4e-3  # bfloat16 operands


def error(value: torch.Tensor, expected: torch.Tensor) -> float:
    assert torch.isfinite(value).all()
    return float((value.float() - expected).norm() / expected.norm())


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator("cuda").manual_seed(seed), device="cuda").to(dtype)


def stacked(*shape: int, seed: int, dtype: torch.dtype) -> torch.Tensor:
    return (noise(*shape, seed=seed) * 40).to(dtype)


def four_bit(n: int, k: int) -> Q4Matrix:
    random = torch.Generator("cuda").manual_seed(n)
    nibbles = torch.randint(0, 256, (n, k // 2), generator=random, device="cuda", dtype=torch.int32)
    scale = torch.rand(n, k // 32, generator=random, device="cuda") * 0.02 + 0.01
    return Q4Matrix(nibbles.to(torch.uint8), scale.half(), (-7.3 * scale).half())


@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_int4(n: int, k: int) -> None:
    source = four_bit(n, k)
    matrix = Int4Matrix.of(source, torch.device("cuda"))
    plain = int4.dequantize_plain(matrix.nibbles, matrix.affine)
    assert error(plain, source.dequantize()) < 2e-3
    assert error(matrix.dense(), plain) < 3e-3
    for count in ROWS:
        x = noise(count, k, seed=count)
        expected = x.float() @ plain.t()
        assert error(matrix(x), expected) < NEAR, count
        assert (
            error(
                int4.product(x, matrix.nibbles, matrix.affine, tile("int4", count, n, k)).float().sum(0),
                expected,
            )
            < NEAR
        )


@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_eight_bits(n: int, k: int) -> None:
    weight = noise(n, k, seed=99, dtype=torch.float32) * 0.05
    for codes, unit in (eight.to_fp8(weight), per_row_int8(weight)):
        matrix = EightBitMatrix(codes, unit)
        for count in ROWS:
            x = noise(count, k, seed=count)
            assert error(matrix.pieces(x).float().sum(0), eight.product_plain(x, codes, unit)) < NEAR
            assert error(matrix(x), eight.product_plain(x, codes, unit)) < 0.04  # e4m3 activations
    codes, unit = eight.to_fp8(weight)
    x = rows.quantize(noise(40, k))
    expected = eight.product_plain(x[0].float() * x[1], codes, unit)
    assert error(eight.library_product(x, codes, unit)[0], expected) < NEAR
    assert (
        error(eight.product(x[0], codes, unit, narrow_tile(40, n, k), x[1]).float().sum(0), expected) < NEAR
    )


@pytest.mark.parametrize("hidden", [4096, 576, 128])
def test_rows(hidden: int) -> None:
    tokens = torch.tensor([3, 0, 49], dtype=torch.int32, device="cuda")
    table = Q8Matrix(
        torch.randint(-127, 127, (50, hidden), device="cuda").to(torch.int8),
        torch.rand(50, hidden // 32, device="cuda").half(),
    )
    assert torch.equal(rows.embed(tokens, table.codes, table.scale), table.rows_at(tokens.long()))
    residual, partial = noise(5, hidden, dtype=torch.float32), noise(3, 5, hidden, seed=1)
    weight, shrunk = noise(hidden, seed=2, dtype=torch.float32), noise(2, 5, 16, seed=3, dtype=torch.float32)
    slots = torch.tensor([0, 4, 1, 1, 2], dtype=torch.int32, device="cuda")
    expands = [stacked(4, 16, hidden, seed=4, dtype=dtype) for dtype in (torch.bfloat16, torch.int8)]
    for added in (None, *((shrunk, expand, slots) for expand in expands)):
        left = residual.clone()
        out, codes = rows.join_norm(left, partial, weight, 1e-5, added, torch.float32, fp8=True)
        wanted, normed = rows.join_norm_plain(residual.clone(), partial, weight, 1e-5, added)
        assert error(left, wanted) < 1e-5
        assert error(out, normed) < 1e-5
        assert codes is not None
        assert error(codes[0].float() * codes[1], normed) < 0.04
    codes, unit = rows.quantize(noise(7, 3 * hidden))
    plain = rows.quantize_plain(noise(7, 3 * hidden))
    assert error(codes.float() * unit, plain[0].float() * plain[1]) < 1e-3


def of_slots(slots: list[int], size: int) -> tuple[torch.Tensor, torch.Tensor]:
    on = torch.tensor(slots, dtype=torch.int32)
    tiles = lora_tiles(on.numpy(), size, lora=True)
    empty = torch.zeros(3, 2, dtype=torch.int32)
    return on.cuda(), torch.cat([torch.from_numpy(tiles), empty], 1).cuda()


@pytest.mark.parametrize("dtype", [torch.int8, torch.bfloat16])
@pytest.mark.parametrize("columns", [576, 4096])
@pytest.mark.parametrize("rank", [16, 32, 64])
@pytest.mark.parametrize("size", [1, 16, 64])
def test_lora(rank: int, size: int, columns: int, dtype: torch.dtype) -> None:
    slots, tiles = of_slots([0] * 3 + [2] * 20 + [1] + [3] * 70 + [0] * 2, size)
    x, scale = noise(96, columns), torch.rand(3, 2 * rank, device="cuda") * 1e-3
    a, b = (
        stacked(3, 2 * rank, columns, seed=1, dtype=dtype),
        stacked(3, rank, 768, seed=2, dtype=dtype),
    )
    plain = lora.shrink_plain(x, a, scale, slots)
    mine = slots > 0
    shrunk = lora.shrink(x, a, scale, slots if size == 1 else tiles, size, rank)
    assert error(shrunk.sum(0)[mine], plain[mine]) < 1e-5
    product = noise(2, 96, 768, seed=5, dtype=torch.float32)
    added = lora.expand_plain(shrunk, b, slots, [384, 768])
    for delta, total in ((None, product.sum(0)), (finish.Delta(shrunk, b), product.sum(0) + added)):
        y = finish.finish_mlp(product, delta, tiles, size)
        assert error(y, finish.finish_mlp_plain(total)) < NEAR
    if size == 1:  # of decode steps alone
        return
    y = noise(96, 768, seed=6)
    wanted = y.float() + lora.expand_plain(shrunk[:, :, :rank], b, slots, [768])
    lora.expand_add(y, shrunk[:, :, :rank].contiguous(), b, tiles, size)
    assert error(y, wanted) < NEAR


@pytest.mark.parametrize(("tile", "dtype"), [(1, torch.int8), (16, torch.int8), (16, torch.bfloat16)])
@pytest.mark.parametrize(("heads", "kv", "size"), [(32, 8, 128), (9, 3, 64), (4, 2, 32), (4, 4, 96)])
def test_rotation_cache_and_attention(heads: int, kv: int, size: int, tile: int, dtype: torch.dtype) -> None:
    config = BaseConfig(heads * size, 64, 2, heads, kv, size, 100, 512, 1e4, 1e-5)
    device = torch.device("cuda")
    cache, plain_cache = (PagedCache(config, 40, 16, device) for _ in range(2))
    rotary, width = rotary_table(config, device), (heads + 2 * kv) * size
    lengths, table = (37, 130, 1), [[3, 9, 4], list(range(20, 29)), [11]]
    slots, tiles = of_slots([1] * 37 + [0] * 130 + [2], tile)
    product, shrunk = (
        noise(2, 168, width, dtype=torch.float32),
        noise(1, 168, 48, seed=7, dtype=torch.float32) / 40,
    )
    b = stacked(2, 16, width, seed=8, dtype=dtype)
    positions = torch.cat([torch.arange(length) for length in lengths]).int().cuda()
    begin = [0, 3, 12]
    bases = torch.tensor(
        [begin[i] for i, n in enumerate(lengths) for _ in range(n)], dtype=torch.int32
    ).cuda()
    tables = torch.tensor([block for one in table for block in one], dtype=torch.int32).cuda()
    shape = (heads, kv, size, 16)
    qkv = finish.finish_qkv(
        product,
        finish.Delta(shrunk, b),
        tiles,
        (positions, bases, tables),
        rotary,
        cache.data,
        1,
        shape,
        tile,
    )
    ends = [heads * size, (heads + kv) * size, width]
    whole = product.sum(0) + lora.expand_plain(shrunk, b, slots, ends)
    wanted = finish.finish_qkv_plain(whole, positions, rotary, shape[:3])
    assert error(qkv, wanted) < NEAR
    q, k, v = (
        part.view(168, -1, size) for part in qkv.float().split([heads * size, kv * size, kv * size], 1)
    )
    first, expected = 0, []
    for length, blocks in zip(lengths, table, strict=True):
        own = slice(first, first + length)
        plain_cache.write(1, torch.tensor(blocks, device="cuda"), 0, k[own], v[own])
        expected.append(attention.attend_plain(q[own], k[own], v[own], 1))
        first += length
    assert torch.equal(cache.data, plain_cache.data)
    out = torch.zeros(168, heads * size, dtype=torch.bfloat16, device="cuda")
    step = attention.tokens_of_a_tile(heads, kv, decode=False)
    fields = [
        (row + start, min(step, length - start), start + 1, base, length)
        for row, length, base in zip((0, 37, 167), lengths, begin, strict=True)
        for start in range(0, length, step)
    ]
    paged = torch.tensor(fields, dtype=torch.int32).t().contiguous().cuda()
    attention.attend(qkv, cache.data, tables, paged, 1, shape, out, decode=False)
    assert error(out, torch.cat(expected)) < NEAR
    own = [(row, n, seen, {0: 0, 3: 37, 12: 167}[base], length) for row, n, seen, base, length in fields]
    out.zero_()
    rows_ = torch.tensor(own, dtype=torch.int32).t().contiguous().cuda()
    attention.attend(qkv, None, tables, rows_, 1, shape, out, decode=False)
    assert error(out, torch.cat(expected)) < NEAR
    single = torch.tensor(
        [[36, 166, 0], [1, 1, 0], [37, 130, 0], [0, 3, 0], [37, 130, 0]], dtype=torch.int32
    ).cuda()
    last = torch.stack([expected[0][-1], expected[1][-1]])
    for splits in (1, 2, 8):
        out.zero_()
        attention.attend(qkv, cache.data, tables, single, 1, shape, out, decode=True, splits=splits)
        assert error(out[[36, 166]], last) < NEAR
