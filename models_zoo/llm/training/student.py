"""The frozen decoder with what is being trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models_zoo.llm.attention import GrowingAttention
from models_zoo.llm.card import AdapterCard
from models_zoo.llm.decoder import Decoder
from models_zoo.llm.heads import build_head
from models_zoo.llm.training.blocks import Blocks
from models_zoo.llm.training.data import NO_TARGET, Example
from models_zoo.llm.training.graft import LoraParameters
from models_zoo.llm.training.packing import lay_out
from models_zoo.llm.training.pause import NEVER, Pause
from models_zoo.llm.training.scaling import compute_type
from models_zoo.llm.training.spec import TrainSpec


class Student:
    """The frozen decoder with what is being trained on it."""

    def __init__(self, decoder: Decoder, spec: TrainSpec, card: AdapterCard) -> None:
        self.decoder = decoder.computing_in(compute_type(spec.compute, decoder.dtype))
        self.card = card
        self.device = decoder.device
        self.context = decoder.config.context
        self.lora = LoraParameters(decoder.config, spec, decoder.device)
        self.blocks = Blocks(decoder.config, self.decoder.dtype, spec.recompute, decoder.device.type)
        self._wish: Pause = NEVER
        self.pause: Pause = NEVER  # of this pass
        head = build_head(card, decoder.config.hidden_size)
        self.head = None if head is None else head.to(decoder.device)

    def hold(self, pause: Pause) -> None:
        """Be held up by `pause` between two pieces of work.

        On CUDA a pass is held up or not as a whole, so that what is computed again is computed in the same pieces. One
        that began while nobody needed the device ends at once: its pieces, whole layers, would take longer than a
        decode step, and one every now and then is what a 99th percentile shows.
        """
        self._wish = self.pause = self.blocks.pause = self.lora.pause = pause

    def train(self, mode: bool) -> None:
        """Dropout on or off."""
        self.lora.train(mode)
        if self.head is not None:
            self.head.train(mode)

    def parameters(self) -> list[nn.Parameter]:
        """Of LoRA and head, in order."""
        return [parameter for group in self._parts() for parameter in group]

    def groups(self, spec: TrainSpec) -> list[dict[str, Any]]:
        """For the optimizer: LoRA and head, each with its learning rate."""
        rates = (spec.learning_rate, spec.head_learning_rate)
        return [{"params": part, "lr": rate} for part, rate in zip(self._parts(), rates, strict=False)]

    def _parts(self) -> list[list[nn.Parameter]]:
        head = [] if self.head is None else [list(self.head.parameters())]
        return [list(self.lora.parameters()), *head]

    def greedy(self, prompt: Sequence[int], most: int) -> list[int]:
        """The likeliest next tokens after `prompt`, until the end token, which is left out, or `most` of them."""
        decoder, attend = self.decoder, GrowingAttention()
        said: list[int] = []
        read = list(prompt)
        with torch.no_grad():
            self.lora.begin(decoder.dtype)
            while len(said) < most:
                self.pause()
                start = len(prompt) + len(said) - len(read)
                tokens = torch.tensor([read], device=self.device)
                positions = torch.arange(start, start + len(read), device=self.device)[None]
                hidden = decoder.hidden(tokens, positions, attend, self.lora.project)
                token = int(decoder.logits(hidden[:, -1]).argmax())
                if token == decoder.card.end_token:
                    break
                said.append(token)
                read = [token]
        return said

    def hidden(self, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
        """Hidden states float32 [B, T, H] of the examples, right-padded, and bool [B, T], False at
        padding, where they say nothing."""
        rows = [example.ids for example in examples]
        packed = [example.lengths for example in examples]
        layout = lay_out(rows, self.decoder.card.pad_token, self.device, packed)
        attend = layout.attention(self.card.bidirectional, self.decoder.dtype)
        short = self.device.type == "cuda" and self._wish.begin()
        if self.device.type == "cuda":
            self.pause = self.blocks.pause = self._wish if short else NEVER
        self.lora.begin(self.decoder.dtype, short)
        run = self.blocks.start(layout.tokens.numel())
        hidden = self.decoder.hidden(layout.tokens, layout.positions, attend, self.lora.project, run)
        return layout.padded(hidden), layout.keep


def answer_places(examples: Sequence[Example], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Row, column and next token of every position that has a target, int64 [targets] each."""
    places = [
        (row, column, target)
        for row, example in enumerate(examples)
        for column, target in enumerate(example.targets)
        if target != NO_TARGET
    ]
    row, column, target = torch.tensor(places, device=device).unbind(dim=1)
    return row, column, target
