"""Which devices our own kernels run on."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

from torch import Tensor


@cache
def has_triton() -> bool:
    """Whether Triton is installed, as it is with torch's CUDA builds."""
    return find_spec("triton") is not None


def on_kernels(x: Tensor) -> bool:
    """Whether x lies where our CUDA kernels can take it."""
    return x.is_cuda and has_triton()
