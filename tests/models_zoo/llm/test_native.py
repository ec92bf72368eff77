"""Our own CPU kernels: what they must not read, and what happens when there is too little of something."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models_zoo.llm.batch import Segment
from models_zoo.llm.decoder import Decoder
from models_zoo.llm.native import MatrixStruct, library, multiply
from models_zoo.llm.native.forward import NativeForward
from models_zoo.llm.paged import PagedCache
from tests.models_zoo.llm.tiny import CONFIG, TinyBase

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


@pytest.fixture
def native(decoder: Decoder) -> NativeForward:
    if decoder.native is None:
        pytest.skip("this machine has no kernels of our own")
    return decoder.native


@torch.inference_mode()
def test_too_little_memory_is_an_error_and_not_the_end(
    decoder: Decoder, native: NativeForward, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = [Segment([5] * 500)] * 64
    with monkeypatch.context() as patch:
        patch.setattr(native._model, "hidden", 2**31 - 32)  # 2**48 bytes, more than any process can have
        with pytest.raises(MemoryError, match="intermediate"):
            native(segments, None, None)
    kernels = library(Path("nowhere"))
    assert kernels is not None
    with pytest.raises(MemoryError):
        multiply(kernels, MatrixStruct(None, 1, 1 << 26, 4), torch.empty(1 << 22, 0))
    assert torch.isfinite(native(segments[:1], None, None)).all()


STARVED = """
import resource, sys
from pathlib import Path
import torch
from models_zoo.llm.batch import Segment
from models_zoo.llm.decoder import load_decoder

def allow(more):
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more, resource.RLIM_INFINITY))

torch.set_num_threads(1)
decoder = load_decoder(Path(sys.argv[1]))
with torch.inference_mode():
    expected = decoder.forward([Segment([5, 6, 7])], None, None)
    allow(64 << 20)
    try:
        decoder.forward([Segment([5] * 500)] * 200, None, None)
    except MemoryError:
        print("no memory")
    torch.set_num_threads(2)
    allow(4 << 20)  # less than a thread's stack
    assert torch.equal(decoder.forward([Segment([5, 6, 7])], None, None), expected)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    assert torch.equal(decoder.forward([Segment([5, 6, 7])], None, None), expected)
    print("served")
"""


@pytest.mark.slow
def test_a_process_without_memory_or_threads_lives_on(base: TinyBase, native: NativeForward) -> None:
    command = [sys.executable, "-c", STARVED, str(base.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split("\n") == ["no memory", "served", ""], done.stderr
