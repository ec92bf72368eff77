"""llama.cpp through its low-level Python interface, for benches: decode steps and prefill of the same GGUF.

Built for the bench only, beside the product's own packages:
    pip install --target var/llama-cpp llama-cpp-python diskcache --no-deps --no-binary llama-cpp-python
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def interface(folder: Path) -> Any | None:
    """The module `llama_cpp`, installed or in `folder`; None where it is absent."""
    if folder.is_dir():
        sys.path.append(str(folder))
    try:
        import llama_cpp
    except ImportError:
        return None
    llama_cpp.llama_backend_init()
    silent = llama_cpp.llama_log_callback(lambda level, text, user: None)
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    llama_cpp.silent = silent  # kept: the library calls it
    return llama_cpp


class LlamaCpp:
    """One model, several sequences that have read the same prompt."""

    def __init__(self, module: Any, path: Path, threads: int, prompt: Sequence[int], sequences: int) -> None:
        self._api = module
        model = module.llama_model_load_from_file(str(path).encode(), module.llama_model_default_params())
        options = module.llama_context_default_params()
        options.n_ctx = 512 * sequences
        options.n_batch, options.n_ubatch = 2048, 512
        options.n_threads = options.n_threads_batch = threads
        options.n_seq_max = sequences
        self._context = module.llama_init_from_model(model, options)
        self._batch = module.llama_batch_init(2048, 0, 1)
        self._prompt = list(prompt)
        self._read(self._prompt)
        for sequence in range(1, sequences):
            module.llama_memory_seq_cp(module.llama_get_memory(self._context), 0, sequence, -1, -1)

    def decode(self, sequences: int) -> None:
        """One token more for the first `sequences`, and its keys forgotten again."""
        self._fill([5] * sequences, [len(self._prompt)] * sequences, range(sequences), [1] * sequences)
        self._run()
        for sequence in range(sequences):
            self._forget(sequence, len(self._prompt))

    def prefill(self) -> None:
        """The prompt once more, in place of the first sequence."""
        self._forget(0, 0)
        self._read(self._prompt)

    def steps(self, batches: Sequence[int]) -> dict[str, Callable[[], None]]:
        decodes = {f"llama_b{batch}": lambda batch=batch: self.decode(batch) for batch in batches}
        return {**decodes, "llama_prefill": self.prefill}

    def _read(self, tokens: Sequence[int]) -> None:
        count = len(tokens)
        self._fill(tokens, range(count), [0] * count, [0] * (count - 1) + [1])
        self._run()

    def _fill(
        self, tokens: Sequence[int], positions: Sequence[int], sequences: Sequence[int], logits: Sequence[int]
    ) -> None:
        batch = self._batch
        batch.n_tokens = len(tokens)
        for row, entry in enumerate(zip(tokens, positions, sequences, logits, strict=True)):
            batch.token[row], batch.pos[row], batch.seq_id[row][0], batch.logits[row] = entry
            batch.n_seq_id[row] = 1

    def _run(self) -> None:
        if self._api.llama_decode(self._context, self._batch) != 0:
            raise RuntimeError("llama_decode failed")
        self._api.llama_synchronize(self._context)

    def _forget(self, sequence: int, start: int) -> None:
        memory = self._api.llama_get_memory(self._context)
        self._api.llama_memory_seq_rm(memory, sequence, start, -1)
