"""Our own CPU kernels: what they must not read, and what happens when there is too little of something."""

import pytest
import torch

from models_zoo.llm.batch import Segment
from models_zoo.llm.decoder import Decoder
from models_zoo.llm.paged import PagedCache
from tests.models_zoo.llm.tiny import CONFIG

BLOCK = 16


@pytest.fixture(params=["decoder", "portable"])
def either(request: pytest.FixtureRequest) -> Decoder:
    """On our own kernels, and on torch's."""
    decoder: Decoder = request.getfixturevalue(request.param)
    return decoder


def cache_of(value: float) -> PagedCache:
    cache = PagedCache(CONFIG, 12, BLOCK, torch.device("cpu"))
    cache.data.fill_(value)
    return cache


@torch.inference_mode()
@pytest.mark.parametrize("left", [float("nan"), float("inf"), float("-inf"), 3e38])
@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 31, 33])
def test_what_others_left_in_a_block_is_never_read(either: Decoder, left: float, length: int) -> None:
    tokens = [3 + index % 300 for index in range(length + 2)]
    replies = []
    for cache in (cache_of(0.0), cache_of(left)):
        prompt = either.forward([Segment(tokens[:length], blocks=[7, 2, 5])], cache, None)
        steps = [
            either.forward([Segment([tokens[at]], start=at, blocks=[7, 2, 5])], cache, None)
            for at in (length, length + 1)
        ]
        replies.append(torch.cat([prompt, *steps]))
    assert torch.isfinite(replies[0]).all()
    assert torch.equal(*replies)
