"""The Llama decoder (Touvron et al., 2023), readable top to bottom, over frozen quantized or dense
weights."""

from __future__ import annotations

import copy
import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from models_zoo.llm.activation import gate
from models_zoo.llm.attention import Attention, RaggedAttention
from models_zoo.llm.batch import Segment
from models_zoo.llm.card import BaseCard, BaseConfig, ModelError, read_card
from models_zoo.llm.devices import device_of, has_triton
from models_zoo.llm.format import BaseFile
from models_zoo.llm.forms import FUSED, fused, head_name
from models_zoo.llm.linear import DenseMatrix, Matrix
from models_zoo.llm.native import library
from models_zoo.llm.native.forward import NativeForward
from models_zoo.llm.norm import add_norm
from models_zoo.llm.packed import packed_linears
from models_zoo.llm.paged import PagedCache
from models_zoo.llm.panels import PanelMatrix, fits
from models_zoo.llm.quant import Q8Matrix
from models_zoo.llm.rotary import rotary_table, rotate
from models_zoo.llm.shapes import check_file

if TYPE_CHECKING:
    from models_zoo.llm.lora import LoraPool

# (layer, fused name, matrix, x [M, in]) -> [M, out]: where adapters and training graft onto the frozen
# product
Project = Callable[[int, str, Matrix, Tensor], Tensor]

# (a layer, x) -> what it makes of x: where training saves memory and takes its pauses
Run = Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]

Form = Literal["int4", "fp8", "bfloat16"]


class Forward(Protocol):
    """A whole pass in our own kernels, on CPU or CUDA."""

    def reads(self, cache: PagedCache | None) -> bool:
        """Whether it can use such a cache."""
        ...

    def __call__(
        self, segments: Sequence[Segment], cache: PagedCache | None, pool: LoraPool | None
    ) -> Tensor:
        """Normalized last hidden states float32 [rows, H]."""
        ...


def base_only(layer: int, name: str, matrix: Matrix, x: Tensor) -> Tensor:
    """The base without any adapter."""
    return matrix(x)


def plainly(block: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """One layer after the other."""
    return block(x)


@dataclass(slots=True, frozen=True)
class Layer:
    """One block: norms float32 [H], linears fused as q|k|v and gate|up."""

    attention_norm: Tensor
    qkv: Matrix
    output: Matrix
    mlp_norm: Tensor
    gate_up: Matrix
    down: Matrix


class Decoder:
    """Hidden states and logits of a batch. Holds no state of any sequence.

    Linears and attention compute in `dtype`; the residual stream and the norms stay float32.
    """

    def __init__(
        self,
        card: BaseCard,
        embedding: Q8Matrix,
        layers: list[Layer],
        norm: Tensor,
        head: Matrix,
        dtype: torch.dtype,
    ) -> None:
        self.card = card
        self.config: BaseConfig = card.config
        self.embedding = embedding
        self.layers = layers
        self.norm = norm
        self.head = head
        self.device = norm.device
        self.dtype = dtype
        self._cosine, self._sine = rotary_table(self.config, self.device)
        self.native: Forward | None = None

    def forward(self, segments: Sequence[Segment], cache: PagedCache | None, pool: LoraPool | None) -> Tensor:
        """Normalized last hidden states float32 [rows, H] of all segments, in their order.

        Keys and values of segments with a block table are written to `cache`.
        """
        if pool is None and any(segment.slot for segment in segments):
            raise ValueError("segment.slot names an adapter, expected 0 without a pool")
        if self.native is not None and self.native.reads(cache):
            return self.native(segments, cache, pool)
        tokens = [token for segment in segments for token in segment.tokens]
        positions = [segment.start + index for segment in segments for index in range(len(segment.tokens))]
        rows = [segment.slot for segment in segments for _ in segment.tokens]
        return self.hidden(
            torch.tensor([tokens], device=self.device),
            torch.tensor([positions], device=self.device),
            RaggedAttention(segments, cache, self.device),
            base_only if pool is None else pool.project(rows),
        )[0]

    def hidden(
        self,
        tokens: Tensor,
        positions: Tensor,
        attend: Attention,
        project: Project = base_only,
        run: Run = plainly,
    ) -> Tensor:
        """tokens, positions int64 [B, T] -> normalized last hidden states float32 [B, T, H]."""
        x = self.embedding.rows_at(tokens)
        cosine, sine = self._cosine[positions][:, :, None], self._sine[positions][:, :, None]
        for index in range(len(self.layers)):
            x = run(partial(self._block, index, cosine, sine, attend, project), x)
        return F.rms_norm(x, (self.config.hidden_size,), self.norm, self.config.norm_epsilon)

    def _block(
        self, index: int, cosine: Tensor, sine: Tensor, attend: Attention, project: Project, x: Tensor
    ) -> Tensor:
        """One layer: x float32 [B, T, H] -> the same."""
        layer, (batch, length, _) = self.layers[index], x.shape
        x, flat = self._normalize(x, None, layer.attention_norm)
        q, k, v = self._heads(project(index, "qkv", layer.qkv, flat), batch, length)
        mixed = attend(index, rotate(q, cosine, sine), rotate(k, cosine, sine), v)
        added = project(index, "output", layer.output, mixed.view(batch * length, -1)).view(x.shape)
        x, flat = self._normalize(x, added, layer.mlp_norm)
        gated = gate(project(index, "gate_up", layer.gate_up, flat))
        return x + project(index, "down", layer.down, gated).view(x.shape)

    def computing_in(self, dtype: torch.dtype) -> Decoder:
        """The same weights with another `dtype`, for projections that follow the type of what they are given."""
        other = copy.copy(self)
        other.dtype = dtype
        return other

    def lora_pool(self, slots: int = 16) -> LoraPool:
        """An empty pool for adapters in slots 1 to `slots`, in the form in which this decoder computes with them."""
        from models_zoo.llm.lora import LoraPool

        if self.native is not None and self.device.type == "cuda":
            from models_zoo.llm.cuda.matrices import form_of
            from models_zoo.llm.cuda.policy import pool_form
            from models_zoo.llm.cuda.pool import StackedPool

            form = form_of(getattr(layer, name) for layer in self.layers for name in FUSED)
            return StackedPool(self.config, self.device, slots, pool_form(form, slots))
        native = self.native is not None
        return LoraPool(self.config, self.device, torch.bfloat16 if native else self.dtype, native)

    def use(self, kernels: ctypes.CDLL) -> None:
        """Run `forward` on our own kernels; all linears must be `PanelMatrix`."""
        self.native = NativeForward(kernels, self, self._cosine, self._sine)

    def use_cuda(self) -> None:
        """The same on CUDA; all linears must be of `cuda.matrices`."""
        from models_zoo.llm.cuda.forward import CudaForward

        self.native = CudaForward(self, (self._cosine, self._sine))

    def logits(self, hidden: Tensor) -> Tensor:
        """hidden [M, H] -> logits float32 [M, vocabulary]."""
        return self.head(hidden).float()

    def _normalize(self, x: Tensor, added: Tensor | None, weight: Tensor) -> tuple[Tensor, Tensor]:
        """x with what is added to it, and its norm [rows, H]."""
        x, normed = add_norm(x, added, weight, self.config.norm_epsilon, self.dtype)
        return x, normed.flatten(0, 1)

    def _heads(self, qkv: Tensor, batch: int, length: int) -> tuple[Tensor, Tensor, Tensor]:
        c = self.config
        split = qkv.view(batch, length, c.heads + 2 * c.kv_heads, c.head_size)
        first_value = c.heads + c.kv_heads
        return split[:, :, : c.heads], split[:, :, c.heads : first_value], split[:, :, first_value:]


def load_decoder(
    folder: Path, device: str = "cpu", form: Form | None = None, native: bool = True, sequences: int = 1
) -> Decoder:
    """The base in `folder`, resident on `device`.

    On "cpu" as packed "int4" (the default; linears that are 8-bit on disk stay so) or dense "bfloat16"; on "cuda"
    as "int4", "fp8" or "bfloat16", without `form` as memory and the `sequences` that are to be decoded at once
    suggest. It runs on our own kernels where `native` and the machine allow it; without them a CUDA base is dense
    bfloat16. Raises `ModelError` when the folder's files are missing or damaged, its card does not describe its
    weights, or the device is not here or cannot hold them in the form.
    """
    place = device_of(device)
    card = read_card(folder)
    file = BaseFile(folder, card)
    check_file(card, file)
    if place.type == "cuda" and native and has_triton():
        from models_zoo.llm.cuda.load import cuda_linears

        linears, cuda_head = cuda_linears(card, file, place, form, sequences)
        decoder = _assemble(card, file, linears, cuda_head, place, torch.bfloat16)
        decoder.use_cuda()
        return decoder
    if form == "fp8":
        raise ModelError(
            "form is 'fp8', which only our kernels on CUDA compute in: expected 'int4' or 'bfloat16'"
        )
    if (form or ("int4" if place.type == "cpu" else "bfloat16")) == "int4":
        kernels = library(folder / "packed") if native and fits(card.config) else None
        matrix, head = packed_linears(folder, card, file, kernels)
        decoder = _assemble(card, file, matrix, head, place, torch.float32)
        if kernels is not None and isinstance(head, PanelMatrix):
            decoder.use(kernels)
        return decoder

    def dense(layer: int, name: str) -> Matrix:
        return DenseMatrix(fused(file, layer, name).dequantize().to(place, torch.bfloat16))

    weight = file.q8(head_name(file)).dequantize().to(place, torch.bfloat16)
    return _assemble(card, file, dense, DenseMatrix(weight), place, torch.bfloat16)


def _assemble(
    card: BaseCard,
    file: BaseFile,
    matrix: Callable[[int, str], Matrix],
    head: Matrix,
    device: torch.device,
    dtype: torch.dtype,
) -> Decoder:
    def norm(name: str) -> Tensor:
        return file.tensor(f"{name}.weight").to(device)

    layers = [
        Layer(
            attention_norm=norm(f"layers.{index}.input_layernorm"),
            mlp_norm=norm(f"layers.{index}.post_attention_layernorm"),
            **{name: matrix(index, name) for name in FUSED},
        )
        for index in range(card.config.layers)
    ]
    source = file.q8("embed_tokens")
    embedding = Q8Matrix(source.codes.to(device), source.scale.to(device))
    return Decoder(card, embedding, layers, norm("norm"), head, dtype)
