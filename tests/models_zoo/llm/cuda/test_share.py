"""What another process is told of a resident base is believed only as far as it fits the base's card."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch

from models_zoo.llm.card import ModelError
from models_zoo.llm.cuda.description import checked
from models_zoo.llm.decoder import load_decoder
from tests.models_zoo.llm.tiny import TinyBase

UUID = "GPU-1"


def description(base: TinyBase) -> dict[str, Any]:
    """Of the tiny base as int4 with an int8 head, each tensor in memory of its own."""
    shapes = {
        "embedding.codes": ("int8", [320, 128]), "embedding.scale": ("float16", [320, 4]),
        "norm": ("float32", [128]), "head.codes": ("int8", [320, 128]), "head.unit": ("float32", [320]),
    }  # fmt: skip
    forms = {"head": "int8"}
    for layer in range(3):
        for norm in ("attention_norm", "mlp_norm"):
            shapes[f"layers.{layer}.{norm}"] = ("float32", [128])
        for name, rows, columns in (
            ("qkv", 256, 128),
            ("output", 128, 128),
            ("gate_up", 512, 128),
            ("down", 128, 256),
        ):
            forms[f"layers.{layer}.{name}"] = "int4"
            shapes[f"layers.{layer}.{name}.nibbles"] = ("uint8", [rows, columns // 2])
            shapes[f"layers.{layer}.{name}.affine"] = ("int32", [rows, columns // 32])
    storage = {
        "handle": "", "bytes": 320 * 128, "offset": 0, "counter": "", "counter_offset": 0, "event": "",
        "wait": False,
    }  # fmt: skip
    tensors = {
        name: {"storage": number, "start": 0, "dtype": dtype, "shape": shape}
        for number, (name, (dtype, shape)) in enumerate(shapes.items())
    }
    return {
        "format": "rootstock-shared-base/1", "device": UUID, "fingerprint": base.card.fingerprint,
        "forms": forms, "storages": [storage] * len(tensors), "tensors": tensors,
    }  # fmt: skip


def test_it_works(base: TinyBase) -> None:
    shared = checked(description(base), base.card, UUID)
    assert shared.words == "int4"
    assert shared.tensors["layers.2.down.affine"].shape == (128, 8)


def change(*path: Any, to: Any = None) -> Callable[[dict[str, Any]], None]:
    def apply(told: dict[str, Any]) -> None:
        for key in path[:-1]:
            told = told[key]
        if to is None:
            del told[path[-1]]
        else:
            told[path[-1]] = to

    return apply


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (change("format", to="other/1"), "format"),
        (change("fingerprint", to="0" * 64), "fingerprint"),
        (change("device", to="GPU-2"), "device"),
        (change("forms", "layers.1.qkv", to="int2"), "forms.layers.1.qkv"),
        (change("forms", "head"), "forms.head"),
        (change("forms", "layers.0.down", to="fp8"), "layers.0.down"),
        (change("tensors", "norm"), "norm"),
        (change("tensors", "more", to={"storage": 0, "start": 0, "dtype": "int8", "shape": [1]}), "more"),
        (change("tensors", "norm", "shape", to=[256]), "norm"),
        (change("tensors", "norm", "dtype", to="float64"), "norm"),
        (change("tensors", "norm", "start", to=-1), "norm"),
        (change("tensors", "norm", "start", to=320 * 128), "norm"),
        (change("tensors", "norm", "storage", to=10_000), "norm"),
        (change("tensors", "norm", "storage", to=-1), "norm"),
        (change("tensors", "norm", "shape", to="x"), "tensors.norm"),
        (change("storages", to=[]), "outside the memory"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    base: TinyBase, spoil: Callable[[dict[str, Any]], None], named: str
) -> None:
    told = deepcopy(description(base))
    spoil(told)
    with pytest.raises(ModelError, match=named):
        checked(told, base.card, UUID)


@pytest.mark.gpu
def test_what_is_exported_is_described_whole(base: TinyBase) -> None:
    from models_zoo.llm.cuda.share import attach, export

    for form in ("int4", "fp8", "bfloat16"):
        decoder = load_decoder(base.folder, "cuda", form)  # type: ignore[arg-type]
        told = export(decoder)
        assert checked(told, base.card, told["device"]).words == form
        with pytest.raises(ModelError, match="fingerprint"):
            attach(told | {"fingerprint": "0" * 64}, base.card, torch.device("cuda"))
