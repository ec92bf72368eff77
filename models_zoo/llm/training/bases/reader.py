"""What a transformers decoder makes of a batch: answers to learn, layers' states, how its last layer attends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from models_zoo.llm.training.data import Example
from models_zoo.llm.training.pause import NEVER, Pause
from models_zoo.llm.training.student import answer_places

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

PAD_TO = 8
RELATED = ("q_proj", "k_proj", "v_proj")


class Reader(nn.Module):
    """One model on one device, its weights float32, its products in `dtype`.

    What it gives is asked for through `forward` alone, so that what gathers sharded weights sees every call.
    again: in training mode layers are computed again for the gradient, which keeps their inputs alone (Chen et al.,
    2016). pause: called before every layer, on the way back too.
    """

    def __init__(
        self,
        model: LlamaForCausalLM,
        device: torch.device,
        dtype: torch.dtype,
        again: bool = False,
        pause: Pause = NEVER,
    ) -> None:
        super().__init__()
        self.model = model.to(device)
        self.device, self.dtype = device, dtype
        self.pause = pause
        self._last: dict[str, Tensor] = {}
        if again:
            model.activation_checkpointing_enable({"use_reentrant": False})
        for layer in model.model.layers:
            layer.register_forward_pre_hook(self._between)
        for name in RELATED:
            getattr(model.model.layers[-1].self_attn, name).register_forward_hook(self._keep(name))

    def forward(self, what: str, *asked: Any) -> Any:
        """`what` is one of the methods below, `asked` what it takes."""
        self.pause.begin()
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            return getattr(self, what)(*asked)

    def answers(self, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
        """Logits float32 [targets, vocabulary] before each token to learn, and these tokens int64 [targets]."""
        row, column, target = answer_places(examples, self.device)
        hidden = self.model.model(input_ids=self._tokens(examples)).last_hidden_state
        return self.model.lm_head(hidden[row, column]).float(), target

    def features(self, examples: Sequence[Example]) -> tuple[Tensor, ...]:
        """States float32 [tokens, H] behind each layer, the last one normalized."""
        states = self.model.model(input_ids=self._tokens(examples), output_hidden_states=True).hidden_states
        keep = kept(examples).to(self.device)
        return tuple(state[keep].float() for state in states[1:])

    def attention(self, examples: Sequence[Example]) -> list[Tensor]:
        """The last layer's queries, keys and values float32 [B, heads, T, D], before they are rotated."""
        self.model.model(input_ids=self._tokens(examples))
        size = self.model.config.head_dim
        found = [self._last.pop(name).float() for name in RELATED]
        return [one.view(*one.shape[:2], -1, size).transpose(1, 2) for one in found]

    def continued(self, prompt: Sequence[int], end: int, most: int) -> list[int]:
        """The likeliest next tokens after `prompt`, until `end`, which is left out, or `most` of them."""
        said, read, past = list[int](), list(prompt), None
        with torch.no_grad():
            while len(said) < most:
                tokens = torch.tensor([read], device=self.device)
                found = self.model.model(input_ids=tokens, past_key_values=past, use_cache=True)
                past = found.past_key_values
                token = int(self.model.lm_head(found.last_hidden_state[:, -1]).argmax())
                if token == end:
                    break
                said.append(token)
                read = [token]
        return said

    def _tokens(self, examples: Sequence[Example]) -> Tensor:
        """int64 [B, T]. What fills up a row comes after it, where no token of it looks."""
        longest = _longest(examples)
        rows = [[*example.ids, *[0] * (longest - len(example.ids))] for example in examples]
        return torch.tensor(rows, device=self.device)

    def _keep(self, name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, arguments: Any, output: Tensor) -> None:
            self._last[name] = output

        return hook

    def _between(self, layer: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        """Before each layer, and before its gradient."""
        self.pause()
        if arguments[0].requires_grad:
            arguments[0].register_hook(self._on_the_way_back)  # type: ignore[no-untyped-call]

    def _on_the_way_back(self, gradient: Tensor) -> None:
        self.pause()


def kept(examples: Sequence[Example]) -> Tensor:
    """bool [B, T], False where a row is filled up."""
    lengths = torch.tensor([len(example.ids) for example in examples])
    return torch.arange(_longest(examples)) < lengths[:, None]


def _longest(examples: Sequence[Example]) -> int:
    return -(-max(len(example.ids) for example in examples) // PAD_TO) * PAD_TO
