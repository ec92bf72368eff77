"""What quantization costs: one text read by the float32 original and by what is made of it, with and without
adapters.

transformers computes the float32 side, so that no code is shared with what is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from models_zoo.llm.adapter import LoadedAdapter
from models_zoo.llm.batch import Segment
from models_zoo.llm.card import AdapterCard, BaseConfig, ModelError, read_card
from models_zoo.llm.convert import Source
from models_zoo.llm.decoder import Decoder
from models_zoo.llm.format import BaseFile
from models_zoo.llm.heads import PooledHead, class_probabilities
from models_zoo.llm.hf_folder import source_name
from models_zoo.llm.lora import LoraWeights
from models_zoo.llm.paged import PagedCache
from models_zoo.llm.shapes import LINEARS, expected_shapes
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.llm.transformers_config import llama_config

WINDOW = 256  # tokens that are read as one text
SHORTEST = 16  # a shorter rest is left out
BLOCK = 16
STEP = 32  # tokens a forward pass: few enough that the products are those of decoding


class Model(Protocol):
    """Reads one text of T tokens."""

    def hidden(self, ids: Sequence[int], bidirectional: bool) -> Tensor:
        """Normalized last hidden states float32 [T, H]."""
        ...

    def logits(self, ids: Sequence[int]) -> Tensor:
        """float32 [T, vocabulary], each position seeing itself and what came before."""
        ...


class Float32:
    """The plain model in float32, by transformers. `weights` are our names and float32 tensors; with `lora`,
    merged into them."""

    def __init__(
        self, config: BaseConfig, weights: Mapping[str, Tensor], lora: LoraWeights | None = None
    ) -> None:
        self._model = _llama(config)
        state = {source_name(name): tensor for name, tensor in _merged(weights, lora)}
        state.setdefault("lm_head.weight", state["model.embed_tokens.weight"])
        self._model.load_state_dict(state, assign=True)
        self._model.eval().requires_grad_(False)

    def hidden(self, ids: Sequence[int], bidirectional: bool) -> Tensor:
        mask = torch.zeros(1, 1, len(ids), len(ids)) if bidirectional else None
        states: Tensor = self._model.model(input_ids=torch.tensor([ids]), attention_mask=mask)[0][0]
        return states

    def logits(self, ids: Sequence[int]) -> Tensor:
        logits: Tensor = self._model.lm_head(self.hidden(ids, bidirectional=False))
        return logits


class Served:
    """A resident base as it serves: packed products, paged keys and values, an adapter in a slot."""

    def __init__(self, decoder: Decoder, lora: LoraWeights | None = None) -> None:
        self._decoder = decoder
        self._slot = 0 if lora is None else 1
        self._pool = decoder.lora_pool()
        if lora is not None:
            self._pool.place(1, self._pool.prepare(lora))
        self._cache = self._cache_of(WINDOW)

    def _cache_of(self, tokens: int) -> PagedCache:
        return PagedCache(self._decoder.config, -(-tokens // BLOCK), BLOCK, self._decoder.device)

    def hidden(self, ids: Sequence[int], bidirectional: bool) -> Tensor:
        if bidirectional:
            whole = Segment(ids, bidirectional=True, slot=self._slot)
            return self._decoder.forward([whole], None, self._pool).float().cpu()
        blocks = range(-(-len(ids) // BLOCK))
        if len(blocks) > self._cache.blocks:
            self._cache = self._cache_of(len(ids))
        pieces = [
            Segment(ids[start : start + STEP], start, blocks, slot=self._slot)
            for start in range(0, len(ids), STEP)
        ]
        states = [self._decoder.forward([piece], self._cache, self._pool) for piece in pieces]
        return torch.cat(states).float().cpu()

    def logits(self, ids: Sequence[int]) -> Tensor:
        states = self.hidden(ids, bidirectional=False).to(self._decoder.device)
        return torch.cat([self._decoder.logits(part) for part in torch.split(states, STEP)]).cpu()


@dataclass(slots=True, frozen=True)
class Damage:
    """Of one model on one text, against the reference.

    perplexity  of the text
    divergence  of the next token's distribution from the reference's, Kullback-Leibler, nats a token
    same_top    share of positions whose likeliest token is the reference's
    """

    perplexity: float
    divergence: float
    same_top: float


def measure(model: Model, expected: Sequence[Tensor], texts: Sequence[Sequence[int]]) -> Damage:
    """`expected` are the reference's `log_probabilities` of the texts."""
    loss = divergence = 0.0
    same = positions = 0
    for reference, ids in zip(expected, texts, strict=True):
        got = log_probabilities(model, ids)
        following = torch.tensor(ids[1:])
        loss -= float(got[:-1].gather(1, following[:, None]).sum())
        divergence += float((reference.exp() * (reference - got)).sum())
        same += int((reference.argmax(dim=1) == got.argmax(dim=1)).sum())
        positions += len(ids)
    mean = torch.tensor(loss / (positions - len(texts)))
    return Damage(float(mean.exp()), divergence / positions, same / positions)


@torch.inference_mode()
def log_probabilities(model: Model, ids: Sequence[int]) -> Tensor:
    """float32 [T, vocabulary]."""
    return model.logits(ids).log_softmax(dim=-1)


@torch.inference_mode()
def head_probabilities(model: Model, adapter: LoadedAdapter, ids: Sequence[int]) -> Tensor:
    """What the adapter's head makes of a text: [labels] of a class head, [T, tags] of a tagging one."""
    if adapter.head is None:
        raise ModelError(f"{adapter.card.name}: is for chat and has no head")
    states, card = model.hidden(ids, adapter.card.bidirectional), adapter.card
    if isinstance(adapter.head, PooledHead):
        keep = torch.ones(1, len(ids), dtype=torch.bool)
        return class_probabilities(adapter.head(states[None], keep), card.multi_label)[0]
    tags: Tensor = adapter.head(states).softmax(dim=-1)
    return tags


def squared_error(reference: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> float:
    """Squared error of all linears together, relative to their squares."""
    names = [name for name in reference if name.endswith(LINEARS)]
    error = sum(float((weights[name] - reference[name]).square().sum()) for name in names)
    return error / sum(float(reference[name].square().sum()) for name in names)


def thresholds_of(card: AdapterCard) -> Tensor:
    """float32 [labels]: the probability from which on each label holds."""
    return torch.tensor([card.thresholds.get(label, 0.5) for label in card.labels])


def texts_of(tokenizer: ChatTokenizer, texts: Iterable[str], tokens: int) -> list[list[int]]:
    """Pieces of at most `WINDOW` tokens, at most `tokens` in all. Raises `ModelError` for too few."""
    if tokens < SHORTEST:
        raise ModelError(f"tokens is {tokens}, expected {SHORTEST} or more")
    pieces: list[list[int]] = []
    for text in texts:
        ids = tokenizer.encode(text)
        for start in range(0, len(ids), WINDOW):
            piece = ids[start : start + min(WINDOW, tokens)]
            if len(piece) >= SHORTEST:
                pieces.append(piece)
                tokens -= len(piece)
            if tokens < SHORTEST:
                return pieces
    return pieces


def source_weights(source: Source) -> dict[str, Tensor]:
    """Every tensor of a source by our name, float32."""
    return {
        name: value if isinstance(value, Tensor) else value.dequantize() for name, value in source.tensors()
    }


def base_weights(folder: Path) -> dict[str, Tensor]:
    """Every tensor of a base folder by name, float32."""
    card = read_card(folder)
    file = BaseFile(folder, card)
    shapes = expected_shapes(card.config, own_head="lm_head.codes" in file)
    return {
        name: file.tensor(f"{name}.weight") if len(shape) == 1 else file.matrix(name).dequantize()
        for name, shape in shapes.items()
    }


def _merged(weights: Mapping[str, Tensor], lora: LoraWeights | None) -> Iterator[tuple[str, Tensor]]:
    """The weights with the adapter's product added to its targets."""
    added = {} if lora is None else lora.matrices
    deltas = {f"layers.{layer}.{_full_name(target)}": pair for (layer, target), pair in added.items()}
    for name, tensor in weights.items():
        if name in deltas:
            a, b = deltas[name]
            yield name, torch.addmm(tensor, b, a)
        else:
            yield name, tensor


def _full_name(target: str) -> str:
    return next(name for name in LINEARS if name.endswith(target))


def _llama(config: BaseConfig) -> Any:
    from transformers import LlamaForCausalLM
    from transformers.initialization import no_init_weights

    settings = llama_config(config, attn_implementation="eager")
    with no_init_weights():
        return LlamaForCausalLM(settings)
