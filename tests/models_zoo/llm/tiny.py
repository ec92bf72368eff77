"""A tiny random base in Rootstock's format, and the same model in transformers: small enough for every test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from models_zoo.llm.card import (
    ADAPTER_CARD_FILE,
    BASE_FILE,
    HEAD_FILE,
    AdapterCard,
    BaseCard,
    BaseConfig,
    write_card,
)
from models_zoo.llm.format import BaseFile, base_card
from models_zoo.llm.heads import build_head
from models_zoo.llm.tokenizer import byte_alphabet
from models_zoo.llm.transformers_config import llama_config
from models_zoo.llm.vocabulary import write_tokenizer

CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CONFIG = BaseConfig(
    hidden_size=128,
    intermediate_size=256,
    layers=3,
    heads=4,
    kv_heads=2,
    head_size=32,
    vocabulary=320,
    context=512,
    rope_theta=10000.0,
    norm_epsilon=1e-5,
)
LINEARS = {
    "self_attn.q_proj": (128, 128),
    "self_attn.k_proj": (64, 128),
    "self_attn.v_proj": (64, 128),
    "self_attn.o_proj": (128, 128),
    "mlp.gate_proj": (256, 128),
    "mlp.up_proj": (256, 128),
    "mlp.down_proj": (128, 256),
}


@dataclass(frozen=True)
class TinyBase:
    folder: Path
    card: BaseCard


def make_base(folder: Path, seed: int = 0) -> TinyBase:
    """Write a random base. The head of a random model says nothing, but it says it reproducibly."""
    folder.mkdir(parents=True)
    random = torch.Generator().manual_seed(seed)
    save_file(_tensors(random), folder / BASE_FILE)
    alphabet = list(byte_alphabet())
    filler = [f"Ġ{a}{b}" for a in "abcdefgh" for b in "abcdefgh"][: CONFIG.vocabulary - len(CONTROL) - 256]
    write_tokenizer(
        folder,
        tokens=[*CONTROL, *alphabet, *filler],
        kinds=[3] * 3 + [1] * (CONFIG.vocabulary - 3),
        merges=[],
        pre="smollm",
        template=TEMPLATE,
        begin=1,
        end=2,
        pad=2,
    )
    card = base_card(folder, name="tiny", config=CONFIG, tokens=(1, 2, 2), source="random")
    write_card(card, folder / "base.json")
    return TinyBase(folder, card)


def _tensors(random: torch.Generator) -> dict[str, torch.Tensor]:
    tensors = {
        "embed_tokens.codes": torch.randint(-127, 128, (320, 128), generator=random).to(torch.int8),
        "embed_tokens.scale": (torch.rand(320, 4, generator=random) * 0.02 + 0.005).half(),
        "lm_head.codes": torch.randint(-127, 128, (320, 128), generator=random).to(torch.int8),
        "lm_head.scale": (torch.rand(320, 4, generator=random) * 0.002 + 0.002).half(),
        "norm.weight": torch.rand(128, generator=random) + 0.5,
    }
    tensors["lm_head.scale"][97:259] /= 50  # half bytes and control characters are hardly ever said
    for layer in range(CONFIG.layers):
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"layers.{layer}.{norm}.weight"] = torch.rand(128, generator=random) + 0.5
        for name, (rows, columns) in LINEARS.items():
            scale = torch.rand(rows, columns // 32, generator=random) * 0.02 + 0.01
            nibbles = torch.randint(0, 256, (rows, columns // 2), generator=random).to(torch.uint8)
            tensors[f"layers.{layer}.{name}.nibbles"] = nibbles
            tensors[f"layers.{layer}.{name}.scale"] = scale.half()
            tensors[f"layers.{layer}.{name}.minimum"] = (-7.5 * scale).half()
    return tensors


def in_transformers(base: TinyBase) -> torch.nn.Module:
    """The dequantized base as a float32 transformers model: the oracle."""
    from transformers import LlamaForCausalLM

    c, file = base.card.config, BaseFile(base.folder, base.card)
    config = llama_config(c, attn_implementation="eager")
    model = LlamaForCausalLM(config).eval().requires_grad_(False)
    state = {"model.embed_tokens.weight": file.matrix("embed_tokens").dequantize()}
    state["lm_head.weight"] = file.matrix(
        "lm_head" if "lm_head.codes" in file else "embed_tokens"
    ).dequantize()
    state["model.norm.weight"] = file.tensor("norm.weight")
    for layer in range(c.layers):
        prefix = f"layers.{layer}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            state[f"model.{prefix}.{norm}.weight"] = file.tensor(f"{prefix}.{norm}.weight")
        for name in LINEARS:
            state[f"model.{prefix}.{name}.weight"] = file.matrix(f"{prefix}.{name}").dequantize()
    model.load_state_dict({name: tensor.clone() for name, tensor in state.items()})
    return model


def make_adapter(
    folder: Path,
    base: TinyBase,
    seed: int = 0,
    rank: int = 8,
    task: str = "chat",
    labels: tuple[str, ...] = (),
    bidirectional: bool = False,
    **config: object,
) -> Path:
    """A random adapter as PEFT itself saves it, with our head and card where the task wants them."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    targets = [name.split(".")[1] for name in LINEARS]
    options = {"r": rank, "lora_alpha": 16, "target_modules": targets, "task_type": "CAUSAL_LM", **config}
    model = get_peft_model(in_transformers(base), LoraConfig(**options))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn_like(parameter) * 0.05)
    model.save_pretrained(folder)
    card = AdapterCard(
        name=folder.name,
        task=task,  # type: ignore[arg-type]
        base_fingerprint=base.card.fingerprint,
        labels=labels,
        bidirectional=bidirectional,
        max_tokens=48,
        overlap_tokens=16,
    )
    write_card(card, folder / ADAPTER_CARD_FILE)
    head = build_head(card, CONFIG.hidden_size)
    if head is not None:
        save_file(head.state_dict(), folder / HEAD_FILE)
    return folder
