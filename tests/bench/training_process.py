"""One side of the training bench: loads a model, then trains one step for every line of its input.

    PYTHONPATH=platform:. python -m tests.bench.training_process ours|peft BASE|GGUF [--recompute]

Every line it prints is a JSON object: first what it is, then each step's seconds, loss and the peak of the process's
memory since it was loaded (MB of 2**20 bytes).
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
ROWS, TOKENS, RANK = 4, 128, 16
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
Step = Callable[[], float]


def token_rows(vocabulary: int) -> list[list[int]]:
    """The same random tokens for both sides, one more than is read: each position's target is the next."""
    random = torch.Generator().manual_seed(0)
    return torch.randint(20, vocabulary, (ROWS, TOKENS + 1), generator=random).tolist()  # type: ignore[no-any-return]


def ours(base: Path, recompute: bool) -> Step:
    """Our trainer on the packed base."""
    from models_zoo.llm.decoder import load_decoder
    from models_zoo.llm.training.data import Example
    from models_zoo.llm.training.loop import DataSets, Trainer, _start_card
    from models_zoo.llm.training.spec import TrainSpec
    from models_zoo.llm.training.tasks import Student, build_task

    spec = TrainSpec(
        base=base,
        target=base,
        name="bench",
        task="chat",
        train=base,
        rank=RANK,
        dropout=0.0,
        batch_size=ROWS,
        recompute=True if recompute else None,
    )
    decoder = load_decoder(base)
    student = Student(decoder, spec, _start_card(spec, decoder.card, ()))
    rows = token_rows(decoder.config.vocabulary)
    examples = [Example(row[:-1], row[1:], [], number) for number, row in enumerate(rows)]
    trainer = Trainer(spec, student, build_task(student, spec), DataSets(examples, None, None))

    def step() -> float:
        return trainer._train([examples]).loss or 0.0

    return step


def peft(checkpoint: Path, recompute: bool) -> Step:
    """transformers and PEFT on the same weights in float32."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        str(checkpoint.parent), gguf_file=checkpoint.name, dtype=torch.float32
    )
    config = LoraConfig(r=RANK, lora_alpha=32, target_modules=TARGETS, task_type="CAUSAL_LM")
    model = get_peft_model(model, config).train()
    if recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=4e-4, fused=True)
    rows = torch.tensor(token_rows(model.config.vocab_size))
    read, wanted = rows[:, :-1].contiguous(), rows[:, 1:].contiguous()

    def step() -> float:
        loss = model(input_ids=read, labels=wanted, shift_labels=wanted, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


def peak_mb() -> float:
    """The most memory that this process had since `forget_peak`."""
    return float(_status("VmHWM")) / 1024


def forget_peak() -> None:
    """Loading may have taken more than training does: that is not what is compared."""
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
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--recompute", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    step = {"ours": ours, "peft": peft}[options.side](options.model, options.recompute)
    forget_peak()
    tell(side=options.side, resident_mb=_status("VmRSS") / 1024)
    for _ in sys.stdin:
        started = time.perf_counter()
        loss = step()
        tell(seconds=time.perf_counter() - started, loss=loss, peak_mb=peak_mb())


if __name__ == "__main__":
    main()
