"""One side of the training bench: loads a model, then trains one step for every line of its input.

    python -m tests.bench.training_process ours|peft BASE|GGUF [--recompute]
    python -m tests.bench.training_process ours|peft int4|fp8|bfloat16 --cuda

With `--cuda` the model has Llama-3-8B's shape and random weights; PEFT's is in bfloat16 and computes layers again.
Every line it prints is a JSON object: first what it is, then each step's seconds, loss and the peak of memory since
it was loaded (MB of 2**20 bytes): the process's, or on CUDA what it allocated there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import models_zoo.llm  # noqa: F401  (sets OpenMP's waiting before torch is loaded)

import torch  # isort: skip

MEBI = 1 << 20
RANK = 16
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
Step = Callable[[], float]


def shape(cuda: bool) -> tuple[int, int]:
    """Rows, and tokens of each, in a step."""
    return (4, 1024) if cuda else (4, 128)


def token_rows(vocabulary: int, cuda: bool) -> list[list[int]]:
    """The same random tokens for both sides, one more than is read: each position's target is the next."""
    random, (rows, tokens) = torch.Generator().manual_seed(0), shape(cuda)
    return torch.randint(20, vocabulary, (rows, tokens + 1), generator=random).tolist()  # type: ignore[no-any-return]


def ours(model: str, recompute: bool, cuda: bool) -> Step:
    """Our trainer on the packed base."""
    from models_zoo.llm.card import AdapterCard
    from models_zoo.llm.decoder import load_decoder
    from models_zoo.llm.training.data import Example
    from models_zoo.llm.training.inputs import DataSets
    from models_zoo.llm.training.spec import TrainSpec
    from models_zoo.llm.training.student import Student
    from models_zoo.llm.training.tasks import build_task
    from models_zoo.llm.training.trainer import Trainer

    nowhere = Path()
    spec = TrainSpec(
        base=nowhere,
        target=nowhere,
        name="bench",
        task="chat",
        train=nowhere,
        rank=RANK,
        dropout=0.0,
        batch_size=4,
        recompute=True if recompute else None,
    )
    if cuda:
        from tests.bench.gpu_model import random_decoder

        decoder = random_decoder(model)  # type: ignore[arg-type]
    else:
        decoder = load_decoder(Path(model))
    card = AdapterCard("bench", "chat", decoder.card.fingerprint, max_tokens=shape(cuda)[1])
    student = Student(decoder, spec, card)
    rows = token_rows(decoder.config.vocabulary, cuda)
    examples = [Example(row[:-1], row[1:], [], number) for number, row in enumerate(rows)]
    trainer = Trainer(spec, student, build_task(student, spec), DataSets(examples))

    def step() -> float:
        return trainer._train([examples]).loss or 0.0

    return step


def peft(model: str, recompute: bool, cuda: bool) -> Step:
    """transformers and PEFT: the same weights in float32, or on CUDA random ones in bfloat16."""
    from peft import LoraConfig, get_peft_model

    frozen = _random_llama() if cuda else _from_gguf(Path(model))
    config = LoraConfig(r=RANK, lora_alpha=32, target_modules=TARGETS, task_type="CAUSAL_LM")
    adapted = get_peft_model(frozen, config).train()
    if recompute or cuda:
        adapted.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        adapted.enable_input_require_grads()
    weights = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=4e-4, fused=True)
    rows = torch.tensor(token_rows(adapted.config.vocab_size, cuda), device=weights[0].device)
    read, wanted = rows[:, :-1].contiguous(), rows[:, 1:].contiguous()

    def step() -> float:
        loss = adapted(input_ids=read, labels=wanted, shift_labels=wanted, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


def _from_gguf(path: Path) -> torch.nn.Module:
    from transformers import AutoModelForCausalLM

    model: torch.nn.Module = AutoModelForCausalLM.from_pretrained(
        str(path.parent), gguf_file=path.name, dtype=torch.float32
    )
    return model


def _random_llama() -> torch.nn.Module:
    from transformers import AutoModelForCausalLM

    from models_zoo.llm.transformers_config import llama_config
    from tests.bench.gpu_model import LLAMA_8B

    config = llama_config(LLAMA_8B)
    with torch.device("cuda"):
        model: torch.nn.Module = AutoModelForCausalLM.from_config(
            config, dtype=torch.bfloat16, attn_implementation="sdpa"
        )
    return model


def peak_mb(cuda: bool) -> float:
    """The most memory that there was since `forget_peak`."""
    return torch.cuda.max_memory_allocated() / MEBI if cuda else _status("VmHWM") / 1024


def forget_peak(cuda: bool) -> None:
    """Loading may have taken more than training does: that is not what is compared."""
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def tell(**fields: object) -> None:
    """One line of the protocol."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=("ours", "peft"))
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--recompute", action="store_true")
    parser.add_argument("--cuda", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    make = {"ours": ours, "peft": peft}[options.side]
    step = make(options.model, options.recompute, options.cuda)
    forget_peak(options.cuda)
    tell(side=options.side, resident_mb=peak_mb(options.cuda))
    for _ in sys.stdin:
        started = time.perf_counter()
        loss = step()
        if options.cuda:
            torch.cuda.synchronize()
        tell(seconds=time.perf_counter() - started, loss=loss, peak_mb=peak_mb(options.cuda))


if __name__ == "__main__":
    main()
