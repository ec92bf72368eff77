"""What training computes by hand: gradients, what is computed again, examples laid end to end."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models_zoo.llm.activation import gate
from models_zoo.llm.decoder import Decoder, load_decoder
from models_zoo.llm.linear import DenseMatrix
from models_zoo.llm.training import TrainSpec, functions, kept
from models_zoo.llm.training import pause as pause_module
from models_zoo.llm.training.blocks import Blocks
from models_zoo.llm.training.data import Example
from models_zoo.llm.training.exactness import gradient_error
from models_zoo.llm.training.inputs import start_card
from models_zoo.llm.training.kept import Keeping, bytes_per_token, what_fits
from models_zoo.llm.training.packing import lay_out
from models_zoo.llm.training.student import Student
from tests.models_zoo.llm.tiny import TinyBase

EXAMPLES = [Example(list(range(10, 10 + length)), [], [], length) for length in (5, 23, 11)]


def student(decoder: Decoder, base: TinyBase, bidirectional: bool = False, **changes: object) -> Student:
    task = "tagging" if bidirectional else "chat"
    spec = TrainSpec(base.folder, base.folder, "x", task, base.folder, labels=("A",) * bidirectional)
    spec = replace(spec, rank=4, dropout=0.0, **changes)  # type: ignore[arg-type]
    torch.manual_seed(1)
    made = Student(decoder, spec, start_card(spec, base.card, spec.labels))
    with torch.no_grad():
        for parameter in made.lora.b.values():
            parameter.normal_(std=0.05)
    return made


def gradients(made: Student) -> list[torch.Tensor]:
    hidden, keep = made.hidden(EXAMPLES)
    weight = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(5))
    (hidden * weight * keep[:, :, None]).sum().backward()
    return [parameter.grad for parameter in made.lora.parameters() if parameter.grad is not None]


@pytest.mark.parametrize(
    ("form", "limit"), [("panels", 1e-3), ("blocks", 1e-2), ("float32", 1e-5), ("bfloat16", 1e-2)]
)
def test_gradients_are_near_those_of_float32(
    decoder: Decoder, portable: Decoder, form: str, limit: float
) -> None:
    matrix = (portable if form == "blocks" else decoder).layers[1].gate_up
    dtype = torch.bfloat16 if form == "bfloat16" else torch.float32
    dense = form in ("float32", "bfloat16")
    error = gradient_error(DenseMatrix(matrix.dense().to(dtype)) if dense else matrix, dtype=dtype)
    assert max(error.output, error.dx, error.da, error.db) < limit


def test_the_gate_equals_autograd() -> None:
    torch.manual_seed(0)
    ours = torch.randn(7, 64, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(gate, (ours,))


@pytest.mark.parametrize("keeping", [Keeping(0, 0), Keeping(0, 2), Keeping(1, 1)])
@pytest.mark.parametrize("changes", [{}, {"targets": ("q_proj", "up_proj")}, {"last_layers": 1}])
def test_computing_layers_again_changes_no_gradient(
    base: TinyBase,
    decoder: Decoder,
    keeping: Keeping,
    changes: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = gradients(student(decoder, base, recompute=False, **changes))
    monkeypatch.setattr(Blocks, "keeping", lambda blocks, tokens: keeping)
    again = gradients(student(decoder, base, **changes))
    assert kept
    assert all(torch.equal(*pair) for pair in zip(kept, again, strict=True))


def test_a_layer_computed_again_leaves_out_what_nobody_reads(
    base: TinyBase, decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Blocks, "keeping", lambda blocks, tokens: Keeping(0, 1))
    computed: list[int] = []
    frozen = functions.frozen_product
    monkeypatch.setattr(functions, "frozen_product", lambda x, m: computed.append(m.rows) or frozen(x, m))
    gradients(student(decoder, base))
    first, layer = 4 * base.card.config.layers, decoder.layers[0]
    again = sorted(computed[first:])
    three = [layer.qkv.rows, layer.output.rows]
    assert again == sorted(
        three * base.card.config.layers + [layer.gate_up.rows] * (base.card.config.layers - 1)
    )


def test_layers_are_computed_again_when_they_would_not_fit(
    base: TinyBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = base.card.config
    whole = bytes_per_token(config, 4)
    monkeypatch.setitem(kept.KEPT_BYTES, "cpu", 3 * 100 * whole)
    blocks = Blocks(config, torch.float32, None)
    assert blocks.keeping(100) == Keeping(3, 0)
    assert blocks.keeping(101).whole == 2
    assert blocks.keeping(100 * whole) == Keeping(0, 0)
    assert Blocks(config, torch.float32, True).keeping(1) == Keeping(0, 0)
    assert Blocks(config, torch.float32, False).keeping(1 << 40) == Keeping(3, 0)


def test_what_is_kept_fits() -> None:
    assert what_fits(32, 2 << 30, whole=688, wide=235) == Keeping(32, 0)
    assert what_fits(32, 2048, whole=688, wide=235) == Keeping(0, 8)
    assert what_fits(32, 32 * 235 + 3 * 453 + 452, whole=688, wide=235) == Keeping(3, 29)


def test_a_run_pauses_before_every_layer_both_ways(base: TinyBase, decoder: Decoder) -> None:
    made, pauses = student(decoder, base), []
    made.blocks.pause = lambda: pauses.append(1)
    gradients(made)
    assert len(pauses) == 2 * base.card.config.layers - 1  # nothing comes before the first layer


def test_a_large_matrix_takes_few_rows_at_a_time() -> None:
    assert pause_module.rows_of_a_piece(28672, 4096) == 2340
    assert pause_module.rows_of_a_piece(1536, 576) > 100_000
    assert pause_module.rows_of_a_piece(1 << 18, 1 << 16) == pause_module.LEAST_ROWS


@pytest.mark.parametrize("recompute", [False, True, None])
def test_short_pieces_change_no_gradient_and_pause_between(
    base: TinyBase, decoder: Decoder, monkeypatch: pytest.MonkeyPatch, recompute: bool | None
) -> None:
    whole = gradients(student(decoder, base, recompute=recompute))
    monkeypatch.setattr(pause_module, "PIECE", 16 * 128 * 512)  # 16 rows of gate_up
    monkeypatch.setattr(pause_module, "LEAST_ROWS", 1)
    if recompute is None:
        monkeypatch.setattr(Blocks, "keeping", lambda blocks, tokens: Keeping(1, 1))
    made, pauses = student(decoder, base, recompute=recompute), []
    made.lora.pause = lambda: pauses.append(1)  # type: ignore[assignment]
    begin = made.lora.begin
    monkeypatch.setattr(made.lora, "begin", lambda dtype, short: begin(dtype, short=True))
    pieces = gradients(made)
    for found, expected in zip(pieces, whole, strict=True):
        assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    rows = sum(len(example.ids) for example in EXAMPLES)
    least = base.card.config.layers * math.ceil(rows / 16)
    assert len(pauses) > (2 if recompute is False else 2 + 1 / 3 if recompute is None else 3) * least


@pytest.mark.parametrize("bidirectional", [False, True])
def test_examples_laid_end_to_end_do_not_see_each_other(
    base: TinyBase, decoder: Decoder, bidirectional: bool
) -> None:
    made = student(decoder, base, bidirectional)
    together, keep = made.hidden(EXAMPLES)
    for row, example in enumerate(EXAMPLES):
        alone, _ = made.hidden([example])
        length = len(example.ids)
        assert keep[row].tolist() == [True] * length + [False] * (keep.shape[1] - length)
        assert torch.allclose(together[row, :length], alone[0, :length], atol=1e-3)


def test_packing_is_for_unequal_lengths() -> None:
    cpu = torch.device("cpu")
    packed = lay_out([[1] * 3, [2] * 15], 0, cpu)
    assert packed.tokens.shape == (1, 18)
    assert packed.positions[0].tolist() == [*range(3), *range(15)]
    assert lay_out([[1] * 16, [2] * 15], 0, cpu).tokens.shape == (2, 16)


def test_dense_bfloat16_packs_too(base: TinyBase, tmp_path: Path) -> None:
    dense = load_decoder(base.folder, form="bfloat16")
    assert all(bool(gradient.isfinite().all()) for gradient in gradients(student(dense, base)))
