"""What a training takes of its device's memory."""

from __future__ import annotations

import os
from pathlib import Path

import torch

PAGE = os.sysconf("SC_PAGE_SIZE")


def memory_used(device: torch.device) -> int:
    """Bytes: on CUDA the most that this process had allocated there at once, else what it has resident now."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
