"""A base's card and its weights are checked against each other before anything computes with them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models_zoo.llm import card as cards
from models_zoo.llm.card import ModelError
from models_zoo.llm.decoder import Decoder, load_decoder
from models_zoo.llm.panels import PanelMatrix
from tests.models_zoo.llm.tiny import TinyBase

Change = Callable[..., Path]


@pytest.fixture
def changed(base: TinyBase, decoder: Decoder, tmp_path: Path) -> Change:
    """A copy of the base, with what was packed of it, whose card says something else."""

    def copy(**config: object) -> Path:
        folder = tmp_path / "copy"
        shutil.copytree(base.folder, folder)
        path = folder / cards.BASE_CARD_FILE
        values = json.loads(path.read_text())
        values["config"] |= config
        path.write_text(json.dumps(values))
        return folder

    return copy


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"hidden_size": 4096}, r"embed_tokens.codes is I8 \[320, 128\], the card says I8 \[320, 4096\]"),
        ({"intermediate_size": 1024}, r"gate_proj.nibbles is U8 \[256, 64\]"),
        ({"vocabulary": 32000}, r"embed_tokens.codes is I8 \[320, 128\]"),
        ({"heads": 8}, r"q_proj.nibbles is U8 \[128, 64\]"),
        ({"kv_heads": 1}, r"k_proj.nibbles is U8 \[64, 64\]"),
        ({"layers": 4}, "layers.3.input_layernorm.weight is missing"),
        ({"layers": 1}, "more layers than the 1 that the card says"),
        ({"layers": 0}, "base.json: layers is 0"),
        ({"kv_heads": 3}, "base.json: 4 heads cannot share 3"),
        ({"context": 1 << 30}, "base.json: context is"),
    ],
)
@pytest.mark.parametrize("native", [True, False])
def test_a_card_of_other_weights_is_refused(
    changed: Change, config: dict[str, int], message: str, native: bool
) -> None:
    folder = changed(**config)
    with pytest.raises(ModelError, match=message):
        load_decoder(folder, native=native)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("norm.weight", torch.Tensor.double),
        ("norm.weight", lambda x: x[:64].contiguous()),
        ("layers.1.mlp.down_proj.minimum", torch.Tensor.bfloat16),
        ("layers.1.mlp.down_proj.scale", lambda x: x[1:].contiguous()),
        ("lm_head.scale", torch.Tensor.float),
    ],
)
def test_weights_of_another_kind_are_refused(
    changed: Change, base: TinyBase, name: str, change: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    folder = changed()
    tensors = load_file(folder / cards.BASE_FILE)
    save_file(tensors | {name: change(tensors[name])}, folder / cards.BASE_FILE)
    values = json.loads((folder / cards.BASE_CARD_FILE).read_text())
    values["bytes"] = (folder / cards.BASE_FILE).stat().st_size
    (folder / cards.BASE_CARD_FILE).write_text(json.dumps(values))
    with pytest.raises(ModelError, match=name):
        load_decoder(folder)


def test_what_was_packed_for_another_configuration_is_not_taken(changed: Change, base: TinyBase) -> None:
    folder = changed(norm_epsilon=1e-6)
    before = set((folder / "packed").glob("*.safetensors"))
    assert before
    load_decoder(folder)
    assert set((folder / "packed").glob("*.safetensors")) > before


def test_panels_of_another_size_are_refused(decoder: Decoder) -> None:
    if decoder.native is None:
        pytest.skip("this machine has no kernels of our own")
    matrix = decoder.layers[0].qkv
    assert isinstance(matrix, PanelMatrix)
    with pytest.raises(ValueError, match="no \\[512, 128\\] of 4 or 8 bits"):
        PanelMatrix(matrix._kernels, matrix.panels, 512, 128)
