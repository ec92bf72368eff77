"""Tests marked `gpu` run where there is a CUDA device with Triton, and are skipped elsewhere."""

from importlib.util import find_spec

import pytest
import torch


@pytest.fixture(autouse=True)
def _needs_a_device(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("gpu") and not (torch.cuda.is_available() and find_spec("triton")):
        pytest.skip("needs a CUDA device and Triton")
