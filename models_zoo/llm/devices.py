"""Which devices our own kernels run on."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor

from models_zoo.llm.card import ModelError


@cache
def has_triton() -> bool:
    """Whether Triton is installed, as it is with torch's CUDA builds."""
    return find_spec("triton") is not None


def device_of(name: str) -> torch.device:
    """The device called "cpu", "cuda" or "cuda:1". Raises `ModelError` for any other, and for one that is not here."""
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise ModelError(f"device is {name!r}: expected 'cpu', 'cuda' or 'cuda:' and a number")
    if device.type == "cuda":
        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= found:
            raise ModelError(f"device is {name!r}: torch finds {found} CUDA devices here")
    return device


def on_kernels(x: Tensor) -> bool:
    """Whether x lies where our CUDA kernels can take it."""
    return x.is_cuda and has_triton()
